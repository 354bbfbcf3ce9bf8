"""Readers of the data sets' archives, one function per format. None runs code of an archive.

None but the reader of LSUN's lmdb, which has to be a file, extracts to a disk. Each takes the count of images that the
archive must hold, and raises DataError, which names the archive, the member and what to do, for archives that are
missing, truncated, damaged, unsafe or of another count.
"""
