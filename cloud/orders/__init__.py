"""Orders to branches: holds, deletions, how long audio is kept; sent, answered, obeyed here too."""
