// Counts or packs the values of one step. A spike is a value that is not 0, as its bits show.
//
// A value that is neither 0 nor 1 is not binary. It counts as a spike and is reported.

#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "processors.h"

namespace neuroact {

// The bits of a dtype's numbers. MAGNITUDE: the bits that are all 0 in a zero. ONE: the bits of 1.
// INFINITE: the magnitude of infinity, where that of NaN is larger; 0 if the dtype has neither.
template <typename Bits, Bits Magnitude, Bits One, Bits Infinite>
struct Numbers {
  using Word = Bits;
  using Number = void;  // the type that the processor computes with, where values are told apart
  static constexpr Bits MAGNITUDE = Magnitude, ONE = One, INFINITE = Infinite;
  static constexpr bool CAN_BE_OTHER = true;
};

using Float16 = Numbers<uint16_t, 0x7FFF, 0x3C00, 0x7C00>;
using BFloat16 = Numbers<uint16_t, 0x7FFF, 0x3F80, 0x7F80>;
struct Float32 : Numbers<uint32_t, 0x7FFFFFFF, 0x3F800000, 0x7F800000> {
  using Number = float;
  static constexpr uint32_t LARGEST = 0x4B800000;  // 2^24
};
struct Float64 : Numbers<uint64_t, 0x7FFFFFFFFFFFFFFF, 0x3FF0000000000000, 0x7FF0000000000000> {
  using Number = double;
  static constexpr uint64_t LARGEST = 0x4170000000000000;  // 2^24
};
using Integer8 = Numbers<uint8_t, 0xFF, 1, 0>;
using Integer16 = Numbers<uint16_t, 0xFFFF, 1, 0>;
using Integer32 = Numbers<uint32_t, 0xFFFFFFFF, 1, 0>;
using Integer64 = Numbers<uint64_t, 0xFFFFFFFFFFFFFFFF, 1, 0>;
struct Boolean : Integer8 {  // a byte that is not 0 is true, whatever it is
  static constexpr bool CAN_BE_OTHER = false;
};

// Why the values cannot be trusted.
struct Unreliable {
  bool nonfinite = false, not_binary = false;
};

template <typename Of>
NEUROACT_INLINE typename Of::Word not_binary_bits(typename Of::Word value) {
  using Word = typename Of::Word;
  if (!Of::CAN_BE_OTHER) return 0;
  return Word((value ^ Of::ONE) & -Word((value & Of::MAGNITUDE) != 0));
}

// Whether some values are not finite, and some finite but not binary. Called only for a step in
// which a value was not binary: it needs a second look at all values.
template <typename Of>
NEUROACT_INLINE Unreliable why_unreliable(const void* from, int64_t numel) {
  const auto* values = static_cast<const typename Of::Word*>(from);
  int32_t nonfinite = 0, not_binary = 0;
  for (int64_t at = 0; at < numel; ++at) {
    const bool beyond = Of::INFINITE != 0 && (values[at] & Of::MAGNITUDE) >= Of::INFINITE;
    nonfinite |= int32_t(beyond);
    not_binary |= int32_t(!beyond) & int32_t(not_binary_bits<Of>(values[at]) != 0);
  }
  return {nonfinite != 0, not_binary != 0};
}

template <typename Of>
NEUROACT_INLINE typename Of::Word add_row(
    const typename Of::Word* row, int32_t* into, int64_t width) {
  typename Of::Word not_binary = 0;
  for (int64_t at = 0; at < width; ++at) {
    into[at] += int32_t((row[at] & Of::MAGNITUDE) != 0);
    not_binary |= not_binary_bits<Of>(row[at]);
  }
  return not_binary;
}

// Adds each neuron's spikes, `[batch, neurons]`, to its sum.
// Returns whether a value was not binary.
template <typename Of>
NEUROACT_INLINE bool add_values(const void* from, int32_t* sums, int64_t batch, int64_t neurons) {
  constexpr int64_t MOST = 1024;  // sums that stay in the cache while all samples are added
  const auto* values = static_cast<const typename Of::Word*>(from);
  typename Of::Word not_binary = 0;
  const int64_t together = std::min(batch, MOST / 2 / neurons);
  if (together > 1) {  // few neurons: add many samples side by side, sum them at the end
    int32_t held[MOST / 2] = {};
    const int64_t width = together * neurons, numel = batch * neurons;
    for (int64_t first = 0; first < numel; first += width) {
      not_binary |= add_row<Of>(values + first, held, std::min(width, numel - first));
    }
    for (int64_t at = 0; at < width; at += neurons) {
      for (int64_t neuron = 0; neuron < neurons; ++neuron) sums[neuron] += held[at + neuron];
    }
    return not_binary != 0;
  }
  for (int64_t first = 0; first < neurons; first += MOST) {
    const int64_t width = std::min(MOST, neurons - first);
    for (int64_t sample = 0; sample < batch; ++sample) {
      not_binary |= add_row<Of>(values + sample * neurons + first, sums + first, width);
    }
  }
  return not_binary != 0;
}

// What arrives at the elements of an input, int64 each: `ones`, `others` and `sizes` of each element,
// then `observations`, and 1 each if a value was not whole or not finite.
struct Arrived {
  int64_t *ones, *others, *sizes, *rest;
};

constexpr int64_t TOGETHER = 1024;  // elements whose counts stay in the cache
constexpr int64_t MOST_SIZES = 127;  // sizes up to 2^24 that an int32 can hold the sum of

struct Held {
  int32_t ones[TOGETHER], others[TOGETHER], sizes[TOGETHER];
};

// Tells apart the values of a row, and adds them; of a value that is not whole or above 2^24 there is
// no size. Sets bit 0 of the result if a value is not whole, bit 1 if one is not finite.
template <typename Of>
NEUROACT_INLINE int32_t tell_apart(const typename Of::Word* row, Held& held, int64_t width) {
  using Word = typename Of::Word;
  int32_t not_whole = 0, nonfinite = 0;
  for (int64_t at = 0; at < width; ++at) {
    // Numbers above 0 are in the order of their bits. No branch, so that it runs on vectors.
    const Word bits = row[at] & Of::MAGNITUDE;
    held.ones[at] += int32_t(bits == Of::ONE);
    held.others[at] += int32_t(bits != 0) - int32_t(bits == Of::ONE);
    const Word small = bits & -Word(bits <= Of::LARGEST);
    typename Of::Number size;
    std::memcpy(&size, &small, sizeof(size));
    const auto whole = int32_t(size);
    held.sizes[at] += whole;
    not_whole |= int32_t(typename Of::Number(whole) != size) | int32_t(small != bits);
    nonfinite |= int32_t(bits >= Of::INFINITE);
  }
  return not_whole | nonfinite << 1;
}

inline void add_held(const int32_t* held, int64_t* counts, int64_t width) {
  for (int64_t at = 0; at < width; ++at) counts[at] += held[at];
}

// Adds values `[batch, elements]`. Returns false, with nothing changed, if some are neither 0 nor 1
// and of a dtype without a `Number`.
template <typename Of>
NEUROACT_INLINE bool add_arrived(const void* from, Arrived into, int64_t batch, int64_t elements) {
  constexpr bool CAN_TELL = !std::is_void<typename Of::Number>::value;
  const auto* values = static_cast<const typename Of::Word*>(from);
  if (Of::CAN_BE_OTHER && !CAN_TELL) {
    const Unreliable found = why_unreliable<Of>(from, batch * elements);
    if (found.nonfinite || found.not_binary) return false;
  }
  int32_t unreliable = 0;
  for (int64_t first = 0; first < elements; first += TOGETHER) {
    const int64_t width = std::min(TOGETHER, elements - first);
    Held held{};
    bool binary = true;
    for (int64_t sample = 0; sample < batch && binary; ++sample) {
      binary = add_row<Of>(values + sample * elements + first, held.ones, width) == 0;
    }
    if (binary) {
      add_held(held.ones, into.ones + first, width);
      add_held(held.ones, into.sizes + first, width);
      continue;
    }
    if constexpr (CAN_TELL) {
      for (int64_t done = 0; done < batch; done += MOST_SIZES) {
        held = {};
        for (int64_t sample = done; sample < std::min(batch, done + MOST_SIZES); ++sample) {
          unreliable |= tell_apart<Of>(values + sample * elements + first, held, width);
        }
        add_held(held.ones, into.ones + first, width);
        add_held(held.others, into.others + first, width);
        add_held(held.sizes, into.sizes + first, width);
      }
    }
  }
  into.rest[0] += batch;
  into.rest[1] |= unreliable & 1;
  into.rest[2] |= unreliable >> 1;
  return true;
}

// A row holds a step, one bit for each value. It has `GROUP` values in `LANES` words: bit `bit` of
// word `word` is value `LANES * bit + word`. So adjacent values are compared at once, and no bit has
// to be moved.
constexpr int64_t LANES = 16, GROUP = 32 * LANES;

// Packs lines of `LANES` values, at most as many as a word has bits: line `line` becomes bit `line`
// of each lane. The result is not 0 if a value was not binary.
template <typename Of, int64_t Bytes>
NEUROACT_INLINE typename Of::Word pack_lines(
    const typename Of::Word* values, int64_t lines, typename Of::Word* bits) {
  using Word = typename Of::Word;
  Word any = 0;
#if defined(NEUROACT_VECTORS)
  constexpr int64_t FIT = Bytes / int64_t(sizeof(Word)), WIDTH = FIT < LANES ? FIT : LANES;
  typedef Word Vector __attribute__((vector_size(WIDTH * sizeof(Word))));
  for (int64_t lane = 0; lane < LANES; lane += WIDTH) {
    Vector found = {}, not_binary = {}, bit = Vector{} + Word(1);
    for (int64_t line = 0; line < lines; ++line, bit += bit) {
      Vector value;
      std::memcpy(&value, values + line * LANES + lane, sizeof(value));
      const Vector spikes = (Vector)((value & Of::MAGNITUDE) != Vector{});
      found |= spikes & bit;
      if (Of::CAN_BE_OTHER) not_binary |= spikes & (value ^ Of::ONE);
    }
    std::memcpy(bits + lane, &found, sizeof(found));
    for (int64_t at = 0; Of::CAN_BE_OTHER && at < WIDTH; ++at) any |= not_binary[at];
  }
#else
  for (int64_t lane = 0; lane < LANES; ++lane) bits[lane] = 0;
  for (int64_t line = 0; line < lines; ++line) {
    for (int64_t lane = 0; lane < LANES; ++lane) {
      const Word value = values[line * LANES + lane];
      bits[lane] |= Word(Word((value & Of::MAGNITUDE) != 0) << line);
      any |= not_binary_bits<Of>(value);
    }
  }
#endif
  return any;
}

template <typename Of, int64_t Bytes>
NEUROACT_INLINE typename Of::Word pack_group(
    const typename Of::Word* values, int64_t lines, uint32_t* row) {
  using Word = typename Of::Word;
  constexpr int64_t DEPTH = sizeof(Word) < 4 ? 8 * sizeof(Word) : 32;
  Word any = 0, bits[LANES];
  for (int64_t lane = 0; lane < LANES; ++lane) row[lane] = 0;
  for (int64_t line = 0; line < lines; line += DEPTH) {
    const int64_t some = lines - line < DEPTH ? lines - line : DEPTH;
    any |= pack_lines<Of, Bytes>(values + line * LANES, some, bits);
    for (int64_t lane = 0; lane < LANES; ++lane) row[lane] |= uint32_t(bits[lane]) << line;
  }
  return any;
}

// Packs a step into its row, see `GROUP`; the bits beyond the last value are 0.
// Returns whether a value was not binary.
template <typename Of, int64_t Bytes>
NEUROACT_INLINE bool pack_values(const void* from, uint32_t* row, int64_t numel) {
  using Word = typename Of::Word;
  const auto* values = static_cast<const Word*>(from);
  Word any = 0;
  for (; numel >= GROUP; numel -= GROUP, values += GROUP, row += LANES) {
    any |= pack_group<Of, Bytes>(values, GROUP / LANES, row);
  }
  if (numel == 0) return any != 0;
  any |= pack_group<Of, Bytes>(values, numel / LANES, row);
  if (const int64_t rest = numel % LANES) {
    Word last[LANES] = {}, bits[LANES];
    std::memcpy(last, values + numel - rest, size_t(rest) * sizeof(Word));
    any |= pack_lines<Of, Bytes>(last, 1, bits);
    for (int64_t lane = 0; lane < LANES; ++lane) row[lane] |= uint32_t(bits[lane]) << numel / LANES;
  }
  return any != 0;
}

// These functions for one dtype.
struct Reader {
  int64_t width;  // bytes of a value
  bool (*add)(const void*, int32_t*, int64_t, int64_t);
  bool (*pack)(const void*, uint32_t*, int64_t);
  bool (*arrive)(const void*, Arrived, int64_t, int64_t);
  Unreliable (*unreliable)(const void*, int64_t);
};

enum Dtype { FLOAT16, BFLOAT16, FLOAT32, FLOAT64, INT8, INT16, INT32, INT64, BOOL, DTYPES };

#define NEUROACT_READERS(Name, BYTES, TARGET)                                                \
  template <typename Of>                                                                     \
  struct Name##Reader {                                                                      \
    TARGET static bool add(const void* from, int32_t* sums, int64_t batch, int64_t neurons) { \
      return add_values<Of>(from, sums, batch, neurons);                                     \
    }                                                                                        \
    TARGET static bool pack(const void* from, uint32_t* row, int64_t numel) {                \
      return pack_values<Of, BYTES>(from, row, numel);                                       \
    }                                                                                        \
    TARGET static bool arrive(                                                               \
        const void* from, Arrived into, int64_t batch, int64_t elements) {                   \
      return add_arrived<Of>(from, into, batch, elements);                                   \
    }                                                                                        \
    TARGET static Unreliable unreliable(const void* from, int64_t numel) {                   \
      return why_unreliable<Of>(from, numel);                                                \
    }                                                                                        \
    static constexpr Reader reader() {                                                       \
      return {int64_t(sizeof(typename Of::Word)), add, pack, arrive, unreliable};            \
    }                                                                                        \
  };

template <template <typename> class On>
constexpr std::array<Reader, DTYPES> readers() {
  return {On<Float16>::reader(),   On<BFloat16>::reader(),  On<Float32>::reader(),
          On<Float64>::reader(),   On<Integer8>::reader(),  On<Integer16>::reader(),
          On<Integer32>::reader(), On<Integer64>::reader(), On<Boolean>::reader()};
}

NEUROACT_EACH(NEUROACT_READERS)
#undef NEUROACT_READERS

inline const Reader& reader_of(Dtype dtype) {
#define NEUROACT_ROW(Name, BYTES, TARGET) readers<Name##Reader>(),
  static constexpr std::array<Reader, DTYPES> READERS[] = {NEUROACT_EACH(NEUROACT_ROW)};
#undef NEUROACT_ROW
  return READERS[chosen][dtype];
}

}  // namespace neuroact
