create_clock -name clk -period 41.667 [get_ports clk]
