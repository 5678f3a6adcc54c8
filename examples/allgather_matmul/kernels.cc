#include "examples/allgather_matmul/kernels.h"

#include "aclshmem.h"
#include "examples/allgather_matmul/tile_multiply.h"

#include <atomic>

namespace agmm {
namespace {

// Hands out the numbers 0, 1, 2... to the blocks that push. Relaxed: the numbers order nothing, a
// tile is ordered by its signal.
uint64_t take_ticket(uint64_t* counter) {
  return std::atomic_ref<uint64_t>(*counter).fetch_add(1, std::memory_order_relaxed);
}

// Sends one row tile of this rank's block to one card. Ticket order is card by card, the next
// higher rank first, so that no card is everybody's first target.
void push_tile(const Card& card, uint64_t ticket, int32_t pass) {
  const uint64_t tiles = card.part.row_tiles_of(card.pe);
  const uint64_t distance = 1 + ticket / tiles;
  const auto peer = static_cast<int>((card.pe + distance) % card.part.pes);
  const uint64_t t = ticket % tiles;
  const Range rows = card.part.row_tile(card.pe, t);
  float* tile = card.a + rows.begin * card.part.k;
  const uint64_t number = card.part.first_row_tile(card.pe) + t;
  canopy::Span span("push tile");
  // The signal word becomes `pass` on the peer after the tile is there. nbi: the tile is not
  // written again while the kernel runs, so there is nothing to wait for.
  aclshmem_putmem_signal_nbi(tile, tile, rows.size() * card.part.k * sizeof(float),
                             card.arrived + number, pass, ACLSHMEM_SIGNAL_SET, peer);
}

void push_tiles(const Card& card, int32_t pass) {
  const uint64_t pushes = card.part.row_tiles_of(card.pe) * (card.part.pes - 1);
  for (uint64_t t = take_ticket(card.tickets); t < pushes; t = take_ticket(card.tickets)) {
    push_tile(card, t, pass);
  }
}

// Tile `t` of rank `owner` is there when this returns; the own tiles always are.
void wait_for_tile(const Card& card, uint32_t owner, uint64_t t, int32_t pass) {
  if (owner != card.pe) {
    aclshmem_signal_wait_until(card.arrived + card.part.first_row_tile(owner) + t, ACLSHMEM_CMP_GE,
                               pass);
  }
}

// One product: a row tile times a column tile.
struct Product {
  uint32_t owner;  // of the row tile
  uint64_t row_tile;
  uint64_t col_tile;
};

// Product number `index`, in the order in which tiles arrive: the own ones, then those of the next
// lower rank (whose first target this card is), and so on downwards. False when there are no more.
bool product_of(const Card& card, uint64_t index, Product* product) {
  const uint64_t col_tiles = card.part.col_tiles_of(card.pe);
  for (uint32_t distance = 0; distance < card.part.pes; ++distance) {
    const uint32_t owner = (card.pe + card.part.pes - distance) % card.part.pes;
    const uint64_t products = card.part.row_tiles_of(owner) * col_tiles;
    if (index < products) {
      *product = {owner, index / col_tiles, index % col_tiles};
      return true;
    }
    index -= products;
  }
  return false;
}

void multiply_product(const Card& card, const Product& product) {
  const Range rows = card.part.row_tile(product.owner, product.row_tile);
  const Range cols = card.part.col_tile(card.pe, product.col_tile);
  const uint64_t width = card.part.cols_of(card.pe).size();
  canopy::Span span("multiply tile");
  multiply_tile(rows.size(), cols.size(), card.part.k, card.a + rows.begin * card.part.k,
                card.part.k, card.b + cols.begin, width, card.c + rows.begin * width + cols.begin,
                width);
}

// This block's share: every GetBlockNum()th product. `arrive` is called before each.
template <class Arrive>
void multiply_products(const Card& card, Arrive&& arrive) {
  Product product;
  for (uint64_t i = GetBlockIdx(); product_of(card, i, &product); i += GetBlockNum()) {
    arrive(product);
    multiply_product(card, product);
  }
}

// Block 0 pushes, blocks start in order, and a block that pushes takes the next tile until none is
// left: so every tile of this rank is sent even where the launch has more blocks than the card has
// cores, and all that have started wait for other ranks.
bool is_pusher(const Card& card) { return GetBlockIdx() < card.pushers; }

}  // namespace

__global__ __aicore__ void exchange(Card card, int32_t pass) {
  if (is_pusher(card)) {
    push_tiles(card, pass);
  }
  uint64_t number = 0;
  for (uint32_t owner = 0; owner < card.part.pes; ++owner) {
    for (uint64_t t = 0; t < card.part.row_tiles_of(owner); ++t, ++number) {
      if (number % GetBlockNum() == GetBlockIdx()) {
        wait_for_tile(card, owner, t, pass);
      }
    }
  }
  if (is_pusher(card)) {
    aclshmem_quiet();
  }
}

__global__ __aicore__ void multiply(Card card) {
  multiply_products(card, [](const Product&) {});
}

__global__ __aicore__ void fused(Card card, int32_t pass) {
  if (is_pusher(card)) {
    push_tiles(card, pass);
  }
  multiply_products(card, [&](const Product& product) {
    wait_for_tile(card, product.owner, product.row_tile, pass);
  });
  // Not before: a block that waited until its tiles have arrived would multiply its share of the own
  // ones only then, and all cores would end with it.
  if (is_pusher(card)) {
    aclshmem_quiet();
  }
}

CANOPY_KERNEL(exchange)
CANOPY_KERNEL_MIX(multiply)
CANOPY_KERNEL_MIX(fused)

}  // namespace agmm
