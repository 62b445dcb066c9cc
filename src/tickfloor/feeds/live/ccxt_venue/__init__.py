"""Any of ccxt's exchanges through one generic feed; slower than the venues of our own."""
