// Where a spatial tile lies: output pixels, footprint in the IFM, place in DRAM.

#ifndef HOTNAS_TILE_H_
#define HOTNAS_TILE_H_

#include "descriptor.h"
#include "pragmas.h"
#include "types.h"

struct Tile {
  Count row, column;                     // position in the grid of tiles
  Count rows, columns;                   // output pixels
  Count pixels;                          // these multiplied
  Count in_rows, in_columns;             // footprint in the IFM, padding included
  Count row_step;                        // its pixels from an output row to the next
  std::int32_t first_row, first_column;  // IFM pixel at its corner; negative in the padding
};

inline Tile tile_at(const Descriptor& layer, int row, int column, int first_row, int first_column) {
  HLS_VITIS(inline)
  Tile tile;
  tile.row = row;
  tile.column = column;
  const bool last_row = row == layer.tiles_r - 1;
  const bool last_column = column == layer.tiles_c - 1;
  tile.rows = last_row ? layer.tr_last : layer.tr;
  tile.columns = last_column ? layer.tc_last : layer.tc;
  tile.pixels = Pixel(tile.rows) * Pixel(tile.columns);
  tile.in_rows = last_row ? layer.th_last : layer.th;
  tile.in_columns = last_column ? layer.tw_last : layer.tw;
  tile.row_step = IfmAddress(layer.stride_rows) * IfmAddress(tile.in_columns);
  tile.first_row = first_row;
  tile.first_column = first_column;
  return tile;
}

// Every stage walks the tiles by itself, row by row.
inline int tile_count(const Descriptor& layer) { return layer.tiles_r * layer.tiles_c; }

inline Tile first_tile(const Descriptor& layer) {
  HLS_VITIS(inline)
  return tile_at(layer, 0, 0, -layer.pad_top, -layer.pad_left);
}

inline Tile next_tile(const Descriptor& layer, const Tile& tile) {
  HLS_VITIS(inline)
  const bool ends_row = tile.column == layer.tiles_c - 1;
  const int down = ends_row ? layer.tr * layer.stride_rows : 0;
  const int first_column =
      ends_row ? -layer.pad_left : tile.first_column + layer.tc * layer.stride_columns;
  return tile_at(layer, tile.row + ends_row, ends_row ? 0 : tile.column + 1, tile.first_row + down,
                 first_column);
}

// The part of the footprint that exists in DRAM. Padding is never loaded: compute recognises it by
// its coordinates.
struct IfmWindow {
  Count first_row, rows;
  Count first_column, columns;
  Count kept;   // columns of a row that lie in the footprint
  Count words;  // of a channel block that lie there
};

inline IfmWindow ifm_window(const Descriptor& layer, const Tile& tile) {
  HLS_VITIS(inline)
  const int end_row = smaller(tile.first_row + tile.in_rows, layer.in_rows);
  const int end_column = smaller(tile.first_column + tile.in_columns, layer.in_columns);
  IfmWindow window;
  window.first_row = larger(tile.first_row, 0);
  window.rows = larger(end_row - window.first_row, 0);
  // Tiles as wide as the map load whole rows: rows follow each other in DRAM, so that a channel
  // block is one long burst; pixels right of the footprint are dropped on arrival.
  window.first_column = layer.ifm_merged ? 0 : larger(tile.first_column, 0);
  window.kept = larger(end_column - window.first_column, 0);
  window.columns = layer.ifm_merged ? layer.in_columns : window.kept;
  window.words = IfmAddress(window.rows) * IfmAddress(window.kept);
  return window;
}

#endif  // HOTNAS_TILE_H_
