"""Readers of the data sets' archives, one function per format. No reader runs code from an archive.

Only the reader of LSUN's lmdb, which must be a file, extracts to disk. Each reader takes the number of images that the
archive must hold. If an archive is missing, truncated, damaged, unsafe or of another count, it raises DataError, which
names the archive and the member, and says what to do.
"""
