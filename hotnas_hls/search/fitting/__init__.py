"""From an edited network to accurate integers: fine-tuned, quantised, fitted."""
