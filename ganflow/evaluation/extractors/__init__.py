"""What turns images into the features that metrics consume, one file each."""
