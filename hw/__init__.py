"""What the board is: the frame between firmware and edge, and one file of constants per HAT."""
