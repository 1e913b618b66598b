"""What is measured against: search spaces, networks, images and accuracy tables. Scores nothing."""
