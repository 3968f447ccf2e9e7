// Turns rows of bits, one for each step, into words, one for each value: bit k is step k.

#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "processors.h"
#include "values.h"

namespace neuroact {

constexpr int64_t STEPS = 64;  // bits of a word

#if defined(_MSC_VER)
NEUROACT_INLINE int32_t bits_set(uint64_t word) {  // MSVC's own function needs a newer processor
  word -= word >> 1 & 0x5555555555555555;
  word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
  word = (word + (word >> 4)) & 0x0F0F0F0F0F0F0F0F;
  return int32_t(word * 0x0101010101010101 >> 56);
}

NEUROACT_INLINE int32_t lowest_bit(uint64_t word) { return bits_set((word & -word) - 1); }

NEUROACT_INLINE int32_t highest_bit(uint64_t word) {
  int32_t highest = 0;
  while (word >>= 1) ++highest;
  return highest;
}
#else
NEUROACT_INLINE int32_t bits_set(uint64_t word) { return __builtin_popcountll(word); }
// For words that are not 0.
NEUROACT_INLINE int32_t lowest_bit(uint64_t word) { return __builtin_ctzll(word); }
NEUROACT_INLINE int32_t highest_bit(uint64_t word) { return 63 - __builtin_clzll(word); }
#endif

// Eight squares of 64 × 64 bits, transposed at once.
constexpr int64_t SQUARES = 8;
using Squares = uint64_t[STEPS][SQUARES];

// `transpose` exchanges, in each square, bit i of word k and bit k of word i.
#if defined(NEUROACT_VECTORS)
template <int Width, typename Vector>
NEUROACT_INLINE void exchange(Vector& one, Vector& other) {
  constexpr uint64_t LOW = ~uint64_t(0) / ((uint64_t(1) << Width) + 1);  // every other `Width` bits
  const Vector change = ((one >> Width) ^ other) & LOW;
  one ^= change << Width;
  other ^= change;
}

// Three of the six rounds, on eight words that lie `Apart` from each other.
template <int Apart, int64_t Bytes>
NEUROACT_INLINE void three_rounds(uint64_t* words) {
  typedef uint64_t Vector __attribute__((vector_size(Bytes)));
  Vector held[8];
  for (int at = 0; at < 8; ++at) std::memcpy(&held[at], words + at * Apart * SQUARES, Bytes);
  for (int at = 0; at < 4; ++at) exchange<4 * Apart>(held[at], held[at + 4]);
  for (int at : {0, 1, 4, 5}) exchange<2 * Apart>(held[at], held[at + 2]);
  for (int at : {0, 2, 4, 6}) exchange<Apart>(held[at], held[at + 1]);
  for (int at = 0; at < 8; ++at) std::memcpy(words + at * Apart * SQUARES, &held[at], Bytes);
}

template <int64_t Bytes>
NEUROACT_INLINE void transpose(Squares& squares) {
  constexpr int64_t WIDTH = Bytes / sizeof(uint64_t);
  for (int64_t square = 0; square < SQUARES; square += WIDTH) {
    for (int64_t word = 0; word < 8; ++word) three_rounds<8, Bytes>(&squares[word][square]);
    for (int64_t word = 0; word < STEPS; word += 8) three_rounds<1, Bytes>(&squares[word][square]);
  }
}
#else
template <int64_t Bytes>
NEUROACT_INLINE void transpose(Squares& squares) {
  uint64_t low = 0x00000000FFFFFFFF;
  for (int64_t width = STEPS / 2; width != 0; width /= 2, low ^= low << width) {
    for (int64_t at = 0; at < STEPS; at = (at + width + 1) & ~width) {
      for (int64_t square = 0; square < SQUARES; ++square) {
        uint64_t &one = squares[at][square], &other = squares[at + width][square];
        const uint64_t change = ((one >> width) ^ other) & low;
        one ^= change << width;
        other ^= change;
      }
    }
  }
}
#endif

// Makes the words of the given steps from their rows; `GROUP` says where a value lies in a row.
template <int64_t Bytes>
NEUROACT_INLINE void cut_up_rows(
    const uint32_t* rows, int64_t row_words, int64_t steps, uint64_t* words, int64_t numel) {
  alignas(64) Squares squares;
  for (int64_t first = 0; first < numel; first += GROUP) {
    const uint32_t* group = rows + first / GROUP * LANES;
    for (int64_t step = 0; step < steps; ++step, group += row_words) {
      for (int64_t square = 0; square < SQUARES; ++square) {
        squares[step][square] = uint64_t(group[square]) | uint64_t(group[square + SQUARES]) << 32;
      }
    }
    std::memset(squares[steps], 0, size_t(STEPS - steps) * sizeof(squares[0]));
    transpose<Bytes>(squares);
    for (int64_t at = first, line = 0; at < numel && line < GROUP / LANES; at += LANES, ++line) {
      uint64_t values[2][SQUARES];
      std::memcpy(values[0], squares[line], sizeof(values[0]));
      std::memcpy(values[1], squares[line + STEPS / 2], sizeof(values[1]));
      std::memcpy(words + at, values, size_t(std::min(LANES, numel - at)) * sizeof(uint64_t));
    }
  }
}

// Counts each sample's spikes at each of the given steps, `[steps, batch]`, from its words.
template <int64_t Bytes>
NEUROACT_INLINE void sum_words(
    const uint64_t* words, int64_t batch, int64_t neurons, int64_t steps, int32_t* sums) {
  alignas(64) Squares squares;
  std::memset(sums, 0, size_t(steps * batch) * sizeof(int32_t));
  int64_t sample = 0, first = 0;
  while (sample < batch) {
    int64_t samples[SQUARES];
    int64_t count = 0;
    for (; count < SQUARES && sample < batch; ++count) {
      const uint64_t* from = words + sample * neurons + first;
      const int64_t width = std::min(STEPS, neurons - first);
      for (int64_t at = 0; at < width; ++at) squares[at][count] = from[at];
      for (int64_t at = width; at < STEPS; ++at) squares[at][count] = 0;
      samples[count] = sample;
      first += STEPS;
      if (first >= neurons) first = 0, ++sample;
    }
    for (int64_t at = 0; at < STEPS; ++at) {
      for (int64_t square = count; square < SQUARES; ++square) squares[at][square] = 0;
    }
    transpose<Bytes>(squares);
    for (int64_t square = 0; square < count; ++square) {
      for (int64_t step = 0; step < steps; ++step) {
        sums[step * batch + samples[square]] += bits_set(squares[step][square]);
      }
    }
  }
}

inline void add_to(int64_t& sum, uint64_t more) { sum = int64_t(uint64_t(sum) + more); }

NEUROACT_INLINE void add_event_counts(
    const uint64_t* words, int64_t batch, int64_t neurons, int64_t* events) {
  for (int64_t sample = 0; sample < batch; ++sample, words += neurons) {
    for (int64_t at = 0; at < neurons; ++at) add_to(events[at], uint64_t(bits_set(words[at])));
  }
}

NEUROACT_INLINE void add_word_counts(const uint64_t* words, int64_t numel, int64_t* counts) {
  for (int64_t at = 0; at < numel; ++at) add_to(counts[at], uint64_t(bits_set(words[at])));
}

struct WordLoops {
  void (*cut_up)(const uint32_t*, int64_t, int64_t, uint64_t*, int64_t);
  void (*sum)(const uint64_t*, int64_t, int64_t, int64_t, int32_t*);
  void (*add_events)(const uint64_t*, int64_t, int64_t, int64_t*);
  void (*add_counts)(const uint64_t*, int64_t, int64_t*);
};

#define NEUROACT_WORD_LOOPS(Name, BYTES, TARGET)                                              \
  struct Name##Words {                                                                        \
    TARGET static void cut_up(                                                                \
        const uint32_t* rows, int64_t row_words, int64_t steps, uint64_t* words, int64_t n) { \
      cut_up_rows<BYTES>(rows, row_words, steps, words, n);                                   \
    }                                                                                         \
    TARGET static void sum(                                                                   \
        const uint64_t* words, int64_t batch, int64_t neurons, int64_t steps, int32_t* sums) { \
      sum_words<BYTES>(words, batch, neurons, steps, sums);                                   \
    }                                                                                         \
    TARGET static void add_events(                                                            \
        const uint64_t* words, int64_t batch, int64_t neurons, int64_t* events) {             \
      add_event_counts(words, batch, neurons, events);                                        \
    }                                                                                         \
    TARGET static void add_counts(const uint64_t* words, int64_t numel, int64_t* counts) {    \
      add_word_counts(words, numel, counts);                                                  \
    }                                                                                         \
    static constexpr WordLoops loops() { return {cut_up, sum, add_events, add_counts}; }      \
  };

NEUROACT_EACH(NEUROACT_WORD_LOOPS)
#undef NEUROACT_WORD_LOOPS

inline const WordLoops& word_loops() {
#define NEUROACT_ROW(Name, BYTES, TARGET) Name##Words::loops(),
  static constexpr WordLoops LOOPS[] = {NEUROACT_EACH(NEUROACT_ROW)};
#undef NEUROACT_ROW
  return LOOPS[chosen];
}

}  // namespace neuroact
