"""InfluxDB: three generations behind one port."""
