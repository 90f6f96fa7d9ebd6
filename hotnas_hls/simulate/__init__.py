"""A package simulated and judged: C++ by g++, SystemVerilog by Verilator, the certificate."""
