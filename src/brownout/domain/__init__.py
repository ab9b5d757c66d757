"""What every part of brownout talks about. Imports nothing else of brownout."""
