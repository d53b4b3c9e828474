"""The torch modules that models are made of; importing any of them imports torch."""
