// Where a spatial tile lies: output pixels, footprint in the IFM, place in DRAM.

#ifndef HOTNAS_TILE_H_
#define HOTNAS_TILE_H_

#include "descriptor.h"
#include "pragmas.h"
#include "types.h"

struct Tile {
  int row, column;              // position in the grid of tiles
  int rows, columns;            // output pixels
  int in_rows, in_columns;      // footprint in the IFM, padding included
  int first_row, first_column;  // IFM pixel at the footprint's corner; negative in the padding
};

// Tiles are counted row by row. The division runs once a tile, in the shadow of its first load.
inline Tile tile_at(const Descriptor& layer, int index) {
  HLS_VITIS(inline)
  Tile tile;
  tile.row = index / layer.tiles_c;
  tile.column = index % layer.tiles_c;
  const bool last_row = tile.row == layer.tiles_r - 1;
  const bool last_column = tile.column == layer.tiles_c - 1;
  tile.rows = last_row ? layer.tr_last : layer.tr;
  tile.columns = last_column ? layer.tc_last : layer.tc;
  tile.in_rows = last_row ? layer.th_last : layer.th;
  tile.in_columns = last_column ? layer.tw_last : layer.tw;
  tile.first_row = tile.row * layer.tr * layer.stride_rows - layer.pad_top;
  tile.first_column = tile.column * layer.tc * layer.stride_columns - layer.pad_left;
  return tile;
}

#endif  // HOTNAS_TILE_H_
