create_clock -name clk -period 8.000 [get_ports clk]
