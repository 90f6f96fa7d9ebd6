"""What ``import hotnas_hls`` offers: networks, runs, designs and packages as objects; commands print them."""
