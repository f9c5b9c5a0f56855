"""What turns images into features; one file per extractor."""
