// Fillers take a layer's steps: `Bits` keeps a bit for each value, `Sums` a sum for each neuron.

#pragma once

#include "python.h"

#include <limits>
#include <memory>

#include "buffers.h"
#include "tensors.h"
#include "words.h"

namespace neuroact {

struct Filler {
  PyObject_HEAD
  Shape shape;  // shape of a step, [batch, *neurons]
  int64_t batch, neurons;
  int64_t steps, room;
  Unreliable unreliable;
  // `until` sets how many further steps of each sample are valid; later ones are padding. Empty if
  // all are valid.
  std::vector<int64_t> remaining;
  int64_t least, passed;             // the least of these numbers; steps that came since `until`
  int64_t row_words;                 // words in a row of bits; 0 for sums
  std::unique_ptr<uint32_t[]> rows;  // [room, row_words]
  std::unique_ptr<int32_t[]> sums;   // [neurons]
};

inline PyTypeObject *bits_type = nullptr, *sums_type = nullptr;

inline bool is_filler(PyObject* object) {
  return Py_TYPE(object) == bits_type || Py_TYPE(object) == sums_type;
}

inline bool is_full(const Filler& filler) { return filler.steps == filler.room; }

inline bool read_step(const Filler& filler, PyObject* object, Values& values) {
  return read_values(object, &filler.shape, values);
}

inline void note_unreliable(Filler& filler, const Values& values, int64_t numel) {
  if (filler.unreliable.nonfinite && filler.unreliable.not_binary) return;
  const Unreliable found = values.reader->unreliable(values.data, numel);
  filler.unreliable.nonfinite |= found.nonfinite;
  filler.unreliable.not_binary |= found.not_binary;
}

// Packs a step, and takes padding for zeros.
inline void pack_valid(Filler& filler, const Values& values, uint32_t* row) {
  const int64_t numel = filler.batch * filler.neurons, width = values.reader->width;
  alignas(64) char held[GROUP * sizeof(uint64_t)];
  for (int64_t first = 0; first < numel; first += GROUP, row += LANES) {
    const int64_t past = std::min(numel, first + GROUP);
    std::memcpy(
        held, static_cast<const char*>(values.data) + first * width, size_t((past - first) * width));
    for (int64_t sample = first / filler.neurons; sample * filler.neurons < past; ++sample) {
      if (filler.remaining[size_t(sample)] > filler.passed) continue;
      const int64_t from = std::max(first, sample * filler.neurons);
      const int64_t to = std::min(past, (sample + 1) * filler.neurons);
      std::memset(held + (from - first) * width, 0, size_t((to - from) * width));
    }
    if (values.reader->pack(held, row, past - first)) {
      note_unreliable(filler, {held, values.reader, past - first}, past - first);
    }
  }
}

// Counts a step that was read. There must be room for it.
inline void add_step(Filler& filler, const Values& values) {
  const int64_t numel = filler.batch * filler.neurons;
  uint32_t* row = filler.rows.get() + filler.steps * filler.row_words;
  if (filler.row_words == 0) {
    if (values.reader->add(values.data, filler.sums.get(), filler.batch, filler.neurons)) {
      note_unreliable(filler, values, numel);
    }
  } else if (!filler.remaining.empty() && filler.passed >= filler.least) {
    pack_valid(filler, values, row);
  } else if (values.reader->pack(values.data, row, numel)) {
    note_unreliable(filler, values, numel);
  }
  ++filler.passed;
  ++filler.steps;
}

inline PyObject* emptied(Filler& filler) {
  const int64_t steps = std::exchange(filler.steps, 0);
  const Unreliable found = std::exchange(filler.unreliable, Unreliable());
  return Py_BuildValue(
      "LNN", (long long)steps, PyBool_FromLong(found.nonfinite), PyBool_FromLong(found.not_binary));
}

inline Filler* new_filler(PyTypeObject* type, PyObject* shape) {
  if (!find_torch()) return nullptr;
  auto* self = allocate<Filler>(type);
  if (self == nullptr) return nullptr;
  new (&self->shape) Shape();
  new (&self->unreliable) Unreliable();
  new (&self->remaining) std::vector<int64_t>();
  new (&self->rows) std::unique_ptr<uint32_t[]>();
  new (&self->sums) std::unique_ptr<int32_t[]>();
  int64_t numel;
  if (!read_shape(shape, self->shape, numel)) {
    Py_DECREF(self);
    return nullptr;
  }
  self->batch = self->shape[0];
  self->neurons = numel / self->batch;
  return self;
}

inline PyObject* new_bits(PyTypeObject* type, PyObject* args, PyObject* named) {
  static const char* names[] = {"shape", "room", nullptr};
  PyObject* shape;
  Py_ssize_t room = STEPS;
  if (!PyArg_ParseTupleAndKeywords(
          args, named, "O!|n:Bits", const_cast<char**>(names), &PyTuple_Type, &shape, &room)) {
    return nullptr;
  }
  if (room < 1 || room > STEPS) {
    PyErr_Format(PyExc_ValueError, "room: expected 1 to 64 steps, came %zd", room);
    return nullptr;
  }
  Owned made(reinterpret_cast<PyObject*>(new_filler(type, shape)));
  if (!made) return nullptr;
  return guarded([&] {
    auto& self = *reinterpret_cast<Filler*>(made.get());
    self.room = room;
    self.row_words = (self.batch * self.neurons + GROUP - 1) / GROUP * LANES;
    self.rows.reset(new uint32_t[size_t(room * self.row_words)]);
    return made.release();
  });
}

inline PyObject* new_sums(PyTypeObject* type, PyObject* args, PyObject* named) {
  static const char* names[] = {"shape", nullptr};
  PyObject* shape;
  if (!PyArg_ParseTupleAndKeywords(
          args, named, "O!:Sums", const_cast<char**>(names), &PyTuple_Type, &shape)) {
    return nullptr;
  }
  Owned made(reinterpret_cast<PyObject*>(new_filler(type, shape)));
  if (!made) return nullptr;
  return guarded([&] {
    auto& self = *reinterpret_cast<Filler*>(made.get());
    // A neuron may fire in every sample of every step.
    self.room = std::numeric_limits<int32_t>::max() / self.batch;
    self.sums.reset(new int32_t[size_t(self.neurons)]());
    return made.release();
  });
}

inline void free_filler(PyObject* object) {
  auto* self = reinterpret_cast<Filler*>(object);
  self->shape.~Shape();
  self->remaining.~vector();
  self->rows.~unique_ptr();
  self->sums.~unique_ptr();
  free_object(object);
}

// False, with nothing changed, if the step cannot be read here or there is no room for it.
inline PyObject* filler_add(PyObject* object, PyObject* step) {
  auto& self = *reinterpret_cast<Filler*>(object);
  Values values;
  if (!read_step(self, step, values) || is_full(self)) Py_RETURN_FALSE;
  add_step(self, values);
  Py_RETURN_TRUE;
}

inline PyObject* bits_take(PyObject* object, PyObject* const* args, Py_ssize_t count) {
  auto& self = *reinterpret_cast<Filler*>(object);
  Buffers given(args, count, {"words", "sums"});
  const int64_t numel = self.batch * self.neurons;
  Array<uint64_t> words;
  Array<int32_t> sums;
  if (!given.write(words, {numel}, FLAT) || !given.write(sums, {ANY, self.batch})) return nullptr;
  if (sums.shape[0] < self.steps) {
    return PyErr_Format(
        PyExc_ValueError, "sums: expected room for %lld steps, came %lld", (long long)self.steps,
        (long long)sums.shape[0]);
  }
  word_loops().cut_up(self.rows.get(), self.row_words, self.steps, words.data, numel);
  word_loops().sum(words.data, self.batch, self.neurons, self.steps, sums.data);
  return emptied(self);
}

inline PyObject* bits_until(PyObject* object, PyObject* const* args, Py_ssize_t count) {
  auto& self = *reinterpret_cast<Filler*>(object);
  Buffers given(args, count, {"remaining"});
  Array<int64_t> remaining;
  if (!given.read_some(remaining, {self.batch})) return nullptr;
  self.remaining.clear();
  if (remaining.data != nullptr) {
    self.remaining.assign(remaining.data, remaining.data + self.batch);
    self.least = *std::min_element(self.remaining.begin(), self.remaining.end());
  }
  self.passed = 0;
  Py_RETURN_NONE;
}

inline PyObject* sums_take(PyObject* object, PyObject* const* args, Py_ssize_t count) {
  auto& self = *reinterpret_cast<Filler*>(object);
  Buffers given(args, count, {"events"});
  Array<int64_t> events;
  if (!given.write(events, {self.neurons}, FLAT)) return nullptr;
  for (int64_t at = 0; at < self.neurons; ++at) {
    add_to(events.data[at], uint64_t(std::exchange(self.sums[size_t(at)], 0)));
  }
  return emptied(self);
}

inline PyObject* filler_shape(PyObject* object, void*) {
  const Shape& shape = reinterpret_cast<Filler*>(object)->shape;
  Owned made(PyTuple_New(Py_ssize_t(shape.size())));
  for (size_t at = 0; made && at < shape.size(); ++at) {
    PyObject* size = PyLong_FromLongLong(shape[at]);
    if (size == nullptr || PyTuple_SetItem(made.get(), Py_ssize_t(at), size) != 0) return nullptr;
  }
  return made.release();
}

inline PyObject* filler_steps(PyObject* object, void*) {
  return PyLong_FromLongLong(reinterpret_cast<Filler*>(object)->steps);
}

}  // namespace neuroact
