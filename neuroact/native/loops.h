// Counting blocks of steps: words of spikes `[batch, neurons]`, bit k for step k, and sums
// `[steps, batch]`. What could not be counted is found before anything is added.
//
// Sums wrap round rather than overflow, as NumPy's do.

#pragma once

#include <cmath>

#include "buffers.h"
#include "words.h"

namespace neuroact {

inline PyObject* refuse(const char* what) {
  PyErr_SetString(PyExc_ValueError, what);
  return nullptr;
}

inline void add_to(int64_t& sum, uint64_t more) { sum = int64_t(uint64_t(sum) + more); }

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
      !given.write(first, {ANY}) || !given.read_some(clock, {words.shape[0]})) {
    return nullptr;
  }
  const int64_t batch = words.shape[0], neurons = words.shape[1], steps = first.shape[0];
  const auto start = [&](int64_t sample) { return clock.data ? clock.data[sample] : 0; };
  for (int64_t sample = 0; sample < batch; ++sample) {
    int64_t last = -1;
    for (int64_t at = sample * neurons; at < (sample + 1) * neurons; ++at) {
      if (words.data[at] == 0 || fired.data[at]) continue;
      last = std::max(last, int64_t(lowest_bit(words.data[at])));
    }
    if (start(sample) < 0 || (last >= 0 && start(sample) >= steps - last)) {
      return refuse("clock: a spike lies at no step of first");
    }
  }
  for (int64_t sample = 0; sample < batch; ++sample) {
    for (int64_t at = sample * neurons; at < (sample + 1) * neurons; ++at) {
      if (words.data[at] == 0 || fired.data[at]) continue;
      fired.data[at] = 1;
      add_to(first.data[start(sample) + lowest_bit(words.data[at])], 1);
    }
  }
  Py_RETURN_NONE;
}

inline PyObject* add_steps(PyObject*, PyObject* const* args, Py_ssize_t count) {
  Buffers given(args, count, {"sums", "events", "squares"});
  Array<int32_t> sums;
  Array<int64_t> events, squares;
  if (!given.read(sums, {ANY, ANY}) || !given.write(events, {sums.shape[0]}) ||
      !given.write(squares, {sums.shape[0]})) {
    return nullptr;
  }
  const int64_t batch = sums.shape[1];
  for (int64_t step = 0; step < sums.shape[0]; ++step) {
    uint64_t total = 0, square = 0;
    for (int64_t sample = 0; sample < batch; ++sample) {
      const auto found = uint64_t(int64_t(sums.data[step * batch + sample]));
      total += found;
      square += found * found;
    }
    add_to(events.data[step], total);
    add_to(squares.data[step], square);
  }
  Py_RETURN_NONE;
}

inline PyObject* add_to_histogram(PyObject*, PyObject* const* args, Py_ssize_t count) {
  Buffers given(args, count, {"sums", "lengths", "histogram"});
  Array<int32_t> sums;
  Array<int64_t> lengths, histogram;
  if (!given.read(sums, {ANY, ANY}) || !given.read_some(lengths, {sums.shape[1]}) ||
      !given.write(histogram, {ANY})) {
    return nullptr;
  }
  const int64_t steps = sums.shape[0], batch = sums.shape[1];
  const auto each = [&](auto&& use) {
    for (int64_t step = 0; step < steps; ++step) {
      for (int64_t sample = 0; sample < batch; ++sample) {
        if (lengths.data && step >= lengths.data[sample]) continue;
        use(sums.data[step * batch + sample]);
      }
    }
  };
  bool fits = true;
  each([&](int64_t found) { fits = fits && found >= 0 && found < histogram.shape[0]; });
  if (!fits) return refuse("sums: one is no bin of the histogram");
  each([&](int64_t found) { add_to(histogram.data[found], 1); });
  Py_RETURN_NONE;
}

// What two adjacent intervals add to CV2 and to LV, in units of 2^-44.
struct Terms {
  int64_t cv2, lv;
};

constexpr double UNITS = 17592186044416.0;  // 2^44

inline Terms terms(int64_t one, int64_t next) {
  const double ratio = double(one < next ? next - one : one - next) / (double(one) + double(next));
  return {int64_t(std::nearbyint(ratio * 2.0 * UNITS)),
          int64_t(std::nearbyint(ratio * ratio * 3.0 * UNITS))};
}

// Of most pairs, since to divide takes longer.
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

// What is wrong with what was handed over, or null.
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
  if (const char* wrong = wrong_intervals(of)) return refuse(wrong);
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
