"""The LSTM: windows, training, prediction."""
