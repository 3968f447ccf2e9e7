// Counts blocks of steps: words of spikes `[batch, neurons]`, bit k for step k, and sums
// `[steps, batch]`. All checks come before anything is added.
//
// Sums wrap, as NumPy's do.

#pragma once

#include <array>

#include "buffers.h"
#include "words.h"

namespace neuroact {

inline PyObject* refuse(const char* what) {
  PyErr_SetString(PyExc_ValueError, what);
  return nullptr;
}

inline PyObject* add_events(PyObject*, PyObject* const* args, Py_ssize_t count) {
  Buffers given(args, count, {"words", "events"});
  Array<uint64_t> words;
  Array<int64_t> events;
  if (!given.read(words, {ANY, ANY}) || !given.write(events, {words.shape[1]})) return nullptr;
  word_loops().add_events(words.data, words.shape[0], words.shape[1], events.data);
  Py_RETURN_NONE;
}

inline PyObject* add_counts(PyObject*, PyObject* const* args, Py_ssize_t count) {
  Buffers given(args, count, {"words", "counts"});
  Array<uint64_t> words;
  Array<int64_t> counts;
  if (!given.read(words, {ANY, ANY}) || !given.write(counts, {words.shape[0], words.shape[1]})) {
    return nullptr;
  }
  word_loops().add_counts(words.data, words.shape[0] * words.shape[1], counts.data);
  Py_RETURN_NONE;
}

inline PyObject* add_first(PyObject*, PyObject* const* args, Py_ssize_t count) {
  Buffers given(args, count, {"words", "fired", "first", "clock"});
  Array<uint64_t> words;
  Array<uint8_t> fired;
  Array<int64_t> first, clock;
  if (!given.read(words, {ANY, ANY}) || !given.write(fired, {words.shape[0], words.shape[1]}) ||
      !given.write(first, {ANY}) || !given.read(clock, {words.shape[0]})) {
    return nullptr;
  }
  const int64_t batch = words.shape[0], neurons = words.shape[1], steps = first.shape[0];
  // The word, or 0 if the neuron has fired. A branch here could not be predicted, so there is none.
  const auto not_fired = [&](int64_t at) {
    return words.data[at] & (uint64_t(fired.data[at] != 0) - 1);
  };
  for (int64_t sample = 0; sample < batch; ++sample) {
    uint64_t found = 0;
    for (int64_t at = sample * neurons; at < (sample + 1) * neurons; ++at) {
      found |= not_fired(at) & -not_fired(at);
    }
    const int64_t start = clock.data[sample];
    if (start < 0 || (found != 0 && start >= steps - highest_bit(found))) {
      return refuse("clock: a spike lies at a step that first does not have");
    }
  }
  for (int64_t sample = 0; sample < batch; ++sample) {
    for (int64_t at = sample * neurons; at < (sample + 1) * neurons; ++at) {
      const uint64_t word = not_fired(at);
      if (word == 0) continue;
      fired.data[at] = 1;
      add_to(first.data[clock.data[sample] + lowest_bit(word)], 1);
    }
  }
  Py_RETURN_NONE;
}

// What is wrong with the lengths of a block's samples; null if nothing is.
inline const char* wrong_lengths(const Array<int64_t>& lengths, int64_t steps) {
  for (int64_t sample = 0; sample < lengths.shape[0]; ++sample) {
    if (lengths.data[sample] < 0 || lengths.data[sample] > steps) {
      return "lengths: expected 0 to the steps of the block";
    }
  }
  return nullptr;
}

inline PyObject* add_steps(PyObject*, PyObject* const* args, Py_ssize_t count) {
  Buffers given(args, count, {"sums", "clock", "lengths", "events", "squares", "observations"});
  Array<int32_t> sums;
  Array<int64_t> clock, lengths, events, squares, observations;
  if (!given.read(sums, {ANY, ANY})) return nullptr;
  const int64_t steps = sums.shape[0], batch = sums.shape[1];
  if (!given.read(clock, {batch}) || !given.read(lengths, {batch}) || !given.write(events, {ANY}) ||
      !given.write(squares, {ANY}) || !given.write(observations, {ANY})) {
    return nullptr;
  }
  const int64_t room = std::min({events.shape[0], squares.shape[0], observations.shape[0]});
  if (const char* wrong = wrong_lengths(lengths, steps)) return refuse(wrong);
  for (int64_t sample = 0; sample < batch; ++sample) {
    const int64_t start = clock.data[sample];
    if (start < 0 || start > room - lengths.data[sample]) {
      return refuse("clock: a step is not one of events, squares and observations");
    }
  }
  for (int64_t step = 0; step < steps; ++step) {
    // Sums over adjacent samples that are at the same step of their sequences, as most are.
    uint64_t number = 0, total = 0, square = 0;
    int64_t place = 0;
    const auto add = [&] {
      if (number == 0) return;
      add_to(events.data[place], total);
      add_to(squares.data[place], square);
      add_to(observations.data[place], number);
      number = total = square = 0;
    };
    for (int64_t sample = 0; sample < batch; ++sample) {
      if (step >= lengths.data[sample]) continue;
      if (clock.data[sample] + step != place) add(), place = clock.data[sample] + step;
      const auto found = uint64_t(int64_t(sums.data[step * batch + sample]));
      ++number;
      total += found;
      square += found * found;
    }
    add();
  }
  Py_RETURN_NONE;
}

inline PyObject* add_to_histogram(PyObject*, PyObject* const* args, Py_ssize_t count) {
  Buffers given(args, count, {"sums", "lengths", "histogram"});
  Array<int32_t> sums;
  Array<int64_t> lengths, histogram;
  if (!given.read(sums, {ANY, ANY}) || !given.read(lengths, {sums.shape[1]}) ||
      !given.write(histogram, {ANY})) {
    return nullptr;
  }
  const int64_t steps = sums.shape[0], batch = sums.shape[1];
  if (const char* wrong = wrong_lengths(lengths, steps)) return refuse(wrong);
  const auto each = [&](auto&& use) {
    for (int64_t step = 0; step < steps; ++step) {
      for (int64_t sample = 0; sample < batch; ++sample) {
        if (step < lengths.data[sample]) use(int64_t(sums.data[step * batch + sample]));
      }
    }
  };
  bool fits = true;
  each([&](int64_t found) { fits = fits && found >= 0 && found < histogram.shape[0]; });
  if (!fits) return refuse("sums: the histogram has no bin for one");
  each([&](int64_t found) { add_to(histogram.data[found], 1); });
  Py_RETURN_NONE;
}

// What two adjacent intervals add to CV2 and to LV, in units of 2^-44.
struct Terms {
  int64_t cv2, lv;
};

constexpr double UNITS = 17592186044416.0;    // 2^44
constexpr double WHOLE = 4503599627370496.0;  // 2^52

// Rounds numbers from 0 to 2^51: from 2^52 on, every double is a whole number.
inline int64_t rounded(double number) { return int64_t((number + WHOLE) - WHOLE); }

inline Terms terms(int64_t one, int64_t next) {
  const double ratio = double(one < next ? next - one : one - next) / (double(one) + double(next));
  return {rounded(ratio * 2.0 * UNITS), rounded(ratio * ratio * 3.0 * UNITS)};
}

// The terms of short intervals, which most pairs have, are looked up: a division takes longer.
constexpr int64_t SHORT = 32;

inline const Terms* short_terms() {
  static const auto table = [] {
    std::array<Terms, SHORT * SHORT> made{};
    for (int64_t at = 0; at < SHORT * SHORT; ++at) {
      if (at != 0) made[size_t(at)] = terms(at / SHORT, at % SHORT);
    }
    return made;
  }();
  return table.data();
}

struct Intervals {
  Array<uint64_t> words;
  Array<int64_t> lengths, age, last, histogram, intervals, sums, squares, pairs, cv2, lv;
};

// Whether everything is certainly right. Does not look at each spike. If false, `wrong_intervals`
// decides.
inline bool are_right_intervals(const Intervals& of) {
  const int64_t batch = of.words.shape[0], neurons = of.words.shape[1];
  for (int64_t sample = 0; sample < batch; ++sample) {
    const int64_t length = of.lengths.data[sample];
    int64_t oldest = 0, signs = 0;
    uint64_t spikes = 0;
    for (int64_t at = sample * neurons; at < (sample + 1) * neurons; ++at) {
      oldest = std::max(oldest, of.age.data[at]);
      signs |= of.age.data[at] | of.last.data[at];
      spikes |= of.words.data[at];
    }
    if (length < 0 || length > STEPS || signs < 0) return false;
    if (length < STEPS && spikes >> length != 0) return false;
    if (oldest > of.histogram.shape[0] - length) return false;
  }
  return true;
}

// What is wrong with the arguments; null if nothing is.
inline const char* wrong_intervals(const Intervals& of) {
  const int64_t batch = of.words.shape[0], neurons = of.words.shape[1];
  const int64_t bins = of.histogram.shape[0];
  for (int64_t sample = 0; sample < batch; ++sample) {
    const int64_t length = of.lengths.data[sample];
    if (length < 0 || length > STEPS) return "lengths: expected 0 to 64 steps";
    for (int64_t at = sample * neurons; at < (sample + 1) * neurons; ++at) {
      const uint64_t word = of.words.data[at];
      const int64_t age = of.age.data[at];
      if (age < 0 || age > INT64_MAX - STEPS || of.last.data[at] < 0) {
        return "age, last: expected steps, came a number below 0";
      }
      if (word == 0) continue;
      if (length < STEPS && word >> length != 0) return "words: a spike lies beyond the length";
      if (highest_bit(word) - lowest_bit(word) >= bins ||
          (age > 0 && age >= bins - lowest_bit(word))) {
        return "histogram: too short for an interval";
      }
    }
  }
  return nullptr;
}

inline PyObject* add_intervals(PyObject*, PyObject* const* args, Py_ssize_t count) {
  Buffers given(
      args, count,
      {"words", "lengths", "age", "last", "histogram", "intervals", "sums", "squares", "pairs",
       "cv2", "lv"});
  Intervals of;
  if (!given.read(of.words, {ANY, ANY})) return nullptr;
  const int64_t batch = of.words.shape[0], neurons = of.words.shape[1];
  if (!given.read(of.lengths, {batch}) || !given.write(of.age, {batch, neurons}) ||
      !given.write(of.last, {batch, neurons}) || !given.write(of.histogram, {ANY})) {
    return nullptr;
  }
  for (auto* each : {&of.intervals, &of.sums, &of.squares, &of.pairs, &of.cv2, &of.lv}) {
    if (!given.write(*each, {neurons})) return nullptr;
  }
  const char* wrong = are_right_intervals(of) ? nullptr : wrong_intervals(of);
  if (wrong != nullptr) return refuse(wrong);
  const Terms* table = short_terms();
  for (int64_t sample = 0; sample < batch; ++sample) {
    const int64_t length = of.lengths.data[sample];
    for (int64_t neuron = 0; neuron < neurons; ++neuron) {
      const int64_t at = sample * neurons + neuron;
      uint64_t word = of.words.data[at];
      int64_t& age = of.age.data[at];
      if (word == 0) {
        if (age > 0) age += length;
        continue;
      }
      int64_t before = of.last.data[at], spike = -age;
      if (age == 0) {
        spike = lowest_bit(word);
        word &= word - 1;
      }
      const int64_t first = spike;
      uint64_t number = 0, adjacent = 0, square = 0, cv2 = 0, lv = 0;
      for (; word != 0; word &= word - 1) {
        const int64_t next = lowest_bit(word), interval = next - spike;
        spike = next;
        add_to(of.histogram.data[interval], 1);
        ++number;
        square += uint64_t(interval) * uint64_t(interval);
        if (before > 0) {
          const Terms more = before < SHORT && interval < SHORT
              ? table[before * SHORT + interval]
              : terms(before, interval);
          cv2 += uint64_t(more.cv2);
          lv += uint64_t(more.lv);
          ++adjacent;
        }
        before = interval;
      }
      age = length - spike;
      of.last.data[at] = before;
      add_to(of.intervals.data[neuron], number);
      add_to(of.sums.data[neuron], uint64_t(spike - first));
      add_to(of.squares.data[neuron], square);
      add_to(of.pairs.data[neuron], adjacent);
      add_to(of.cv2.data[neuron], cv2);
      add_to(of.lv.data[neuron], lv);
    }
  }
  Py_RETURN_NONE;
}

}  // namespace neuroact
