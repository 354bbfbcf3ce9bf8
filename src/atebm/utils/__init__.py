"""What everything else uses: files, errors, hashing, progress. It knows nothing of the paper."""
