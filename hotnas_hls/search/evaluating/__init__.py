"""What a candidate is worth: hardware test, accuracy, reward, when to stop."""
