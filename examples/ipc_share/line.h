// Line: how the two processes tell each other what no device carries: who they are, the keys, and
// how far they are. One end of a socket pair; used by one thread. An end that is gone is noticed at
// once, so nobody waits for a dead process.
#pragma once

#include <cstdint>

// From the importer: the id under which the exporter's list knows it.
struct Hello {
  int32_t pid;
};
// From the exporter. A key is text, shorter than 65 bytes.
struct Keys {
  char memory[65];
  char notify[65];
  uint32_t n;  // 32-bit numbers in the memory
};
// From the importer, when it has queued all its work.
struct Stored {
  uint64_t inode;  // of the file that its pages come from
  void* address;   // at which it sees them
};
// From the exporter: its kernel has seen what it should. From the importer: it has closed the
// memory.
struct Done {
  uint8_t byte;
};

class Line {
 public:
  explicit Line(int fd) : fd_(fd) {}
  ~Line();
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  // Both end the process with a sentence when the other one is gone.
  template <class Message>
  void say(const Message& message) {
    send_bytes(&message, sizeof message);
  }
  template <class Message>
  Message hear() {
    Message message;
    receive_bytes(&message, sizeof message);
    return message;
  }
  // Whether a message has come; false when the other process is gone instead.
  template <class Message>
  bool hear_if_alive(Message& message) {
    return receive_if_alive(&message, sizeof message);
  }

 private:
  void send_bytes(const void* bytes, unsigned size);
  void receive_bytes(void* bytes, unsigned size);
  bool receive_if_alive(void* bytes, unsigned size);

  int fd_;
};
