#include "topology/model/spec_links.h"

#include <array>
#include <utility>

namespace canopy::topology {
namespace {
constexpr uint64_t kMostMBps = 100'000'000;
constexpr uint64_t kMostNs = 1'000'000'000;

// Reads the figures that `field` has over those in `link`.
Result<> read_figures(const SpecField& field, Link& link) {
  CANOPY_TRY(field.read_integer("bandwidth_MBps", 0, kMostMBps, link.bandwidth_MBps));
  CANOPY_TRY(field.read_integer("latency_ns", 0, kMostNs, link.latency_ns));
  if (auto placeholder = field.find("placeholder")) {
    CANOPY_ASSIGN(link.placeholder, placeholder->boolean());
  }
  if (auto path = field.find("path")) {
    CANOPY_ASSIGN(std::string text, path->text(1, 16));
    auto parsed = parse_peer_path(text);
    if (!parsed) {
      return path->refuse("is \"{}\", must be direct, staged or refused", text);
    }
    if (link.link_class == LinkClass::none && *parsed != PeerPath::refused) {
      return path->refuse("is \"{}\", but NPUs without a link (class none) can only be refused",
                          text);
    }
    link.path = *parsed;
  }
  return {};
}

// The links part being read: figures per class, and the matrix so far.
class LinkReader {
 public:
  explicit LinkReader(int count) : count_(count), links_(self_links(count)) {
    for (int i = 0; i < kLinkClasses; ++i) {
      Link& link = classes_[static_cast<size_t>(i)];
      link.link_class = static_cast<LinkClass>(i);
      link.path = default_path(link.link_class);
    }
  }

  Result<> read(const SpecField& links) {
    CANOPY_TRY(links.expect_object({"classes", "mesh", "matrix", "groups", "pairs"}));
    if (auto classes = links.find("classes")) {
      CANOPY_TRY(read_classes(*classes));
    }
    auto mesh = links.find("mesh");
    auto matrix = links.find("matrix");
    if (mesh && matrix) {
      return links.refuse("has both 'mesh' and 'matrix', which say the same thing; keep one");
    }
    if (mesh) {
      CANOPY_TRY(read_mesh(*mesh));
    }
    if (matrix) {
      CANOPY_TRY(read_matrix(*matrix));
    }
    if (auto groups = links.find("groups")) {
      CANOPY_TRY(read_groups(*groups));
    }
    if (auto pairs = links.find("pairs")) {
      CANOPY_TRY(read_pairs(*pairs));
    }
    return {};
  }

  std::vector<Link> take() { return std::move(links_); }

 private:
  using Named = std::vector<bool>;  // pairs already named, as one entry must not undo another

  Link& at(int a, int b) { return links_[static_cast<size_t>(a * count_ + b)]; }
  void join(int a, int b, const Link& link) { at(a, b) = at(b, a) = link; }

  Result<LinkClass> link_class(const SpecField& field, bool diagonal = false) const {
    CANOPY_ASSIGN(std::string text, field.text(1, 16));
    auto parsed = parse_link_class(text);
    if (!parsed) {
      return field.refuse(
          "unknown link class \"{}\"; known are self, sio, hccs, hccs_switch, pix, "
          "phb, sys, none",
          text);
    }
    if (!diagonal && *parsed == LinkClass::self) {
      return field.refuse("class self joins an NPU with itself only, not two NPUs");
    }
    return *parsed;
  }

  Result<int> npu(const SpecField& field) const {
    auto id = field.integer(0, static_cast<uint64_t>(count_ - 1));
    if (!id) {
      return field.refuse("names NPU {}, but this machine has {} NPUs (0 to {})", field.shown(),
                          count_, count_ - 1);
    }
    return static_cast<int>(*id);
  }

  Result<> name_once(const SpecField& field, Named& named, int a, int b) const {
    auto index = static_cast<size_t>(std::min(a, b) * count_ + std::max(a, b));
    if (named[index]) {
      return field.refuse("joins NPU {} and NPU {} a second time", a, b);
    }
    named[index] = true;
    return {};
  }

  Result<> read_classes(const SpecField& classes) {
    CANOPY_TRY(classes.expect_object({"sio", "hccs", "hccs_switch", "pix", "phb", "sys", "none"}));
    for (Link& link : classes_) {
      if (auto figures = classes.find(to_string(link.link_class))) {
        CANOPY_TRY(figures->expect_object({"bandwidth_MBps", "latency_ns", "placeholder", "path"}));
        CANOPY_TRY(read_figures(*figures, link));
      }
    }
    return {};
  }

  const Link& figures(LinkClass link) const { return classes_[static_cast<size_t>(link)]; }

  Result<> read_mesh(const SpecField& mesh) {
    CANOPY_ASSIGN(LinkClass link, link_class(mesh));
    for (int a = 0; a < count_; ++a) {
      for (int b = a + 1; b < count_; ++b) {
        join(a, b, figures(link));
      }
    }
    return {};
  }

  Result<> read_matrix(const SpecField& matrix) {
    auto side = static_cast<size_t>(count_);
    CANOPY_TRY(matrix.expect_array(side, side));
    std::vector<LinkClass> read(side * side);
    for (size_t a = 0; a < side; ++a) {
      SpecField row = matrix.at(a);
      CANOPY_TRY(row.expect_array(side, side));
      for (size_t b = 0; b < side; ++b) {
        CANOPY_ASSIGN(LinkClass link, link_class(row.at(b), a == b));
        if (a == b && link != LinkClass::self) {
          return row.at(b).refuse("is \"{}\", but an NPU and itself are of class self",
                                  to_string(link));
        }
        if (b < a && link != read[b * side + a]) {
          return row.at(b).refuse(
              "is \"{}\", but links.matrix[{}][{}] is \"{}\": a link has one "
              "class in both directions",
              to_string(link), b, a, to_string(read[b * side + a]));
        }
        read[a * side + b] = link;
        if (b < a) {
          join(static_cast<int>(a), static_cast<int>(b), figures(link));
        }
      }
    }
    return {};
  }

  Result<> read_groups(const SpecField& groups) {
    CANOPY_TRY(groups.expect_array(0, kMaxNpus * kMaxNpus));
    Named named(links_.size());
    for (size_t g = 0; g < groups.size(); ++g) {
      SpecField group = groups.at(g);
      CANOPY_TRY(group.expect_object({"npus", "class"}));
      CANOPY_ASSIGN(SpecField class_field, group.need("class"));
      CANOPY_ASSIGN(LinkClass link, link_class(class_field));
      CANOPY_ASSIGN(SpecField list, group.need("npus"));
      CANOPY_TRY(list.expect_array(2, kMaxNpus));
      std::vector<int> members;
      for (size_t i = 0; i < list.size(); ++i) {
        CANOPY_ASSIGN(int b, npu(list.at(i)));
        for (int a : members) {
          if (a == b) {
            return list.at(i).refuse("names NPU {} twice in one group", a);
          }
          CANOPY_TRY(name_once(list.at(i), named, a, b));
          join(a, b, figures(link));
        }
        members.push_back(b);
      }
    }
    return {};
  }

  Result<> read_pairs(const SpecField& pairs) {
    CANOPY_TRY(pairs.expect_array(0, kMaxNpus * kMaxNpus));
    Named named(links_.size());
    for (size_t p = 0; p < pairs.size(); ++p) {
      SpecField pair = pairs.at(p);
      CANOPY_TRY(pair.expect_object(
          {"between", "class", "bandwidth_MBps", "latency_ns", "placeholder", "path"}));
      CANOPY_ASSIGN(SpecField between, pair.need("between"));
      CANOPY_TRY(between.expect_array(2, 2));
      CANOPY_ASSIGN(int a, npu(between.at(0)));
      CANOPY_ASSIGN(int b, npu(between.at(1)));
      if (a == b) {
        return between.refuse("joins NPU {} with itself", a);
      }
      CANOPY_TRY(name_once(between, named, a, b));
      Link link = at(a, b);
      if (auto class_field = pair.find("class")) {
        CANOPY_ASSIGN(LinkClass wanted, link_class(*class_field));
        link = figures(wanted);
      }
      CANOPY_TRY(read_figures(pair, link));
      join(a, b, link);
    }
    return {};
  }

  int count_;
  std::vector<Link> links_;
  std::array<Link, kLinkClasses> classes_{};
};

}  // namespace

std::vector<Link> self_links(int count) {
  std::vector<Link> links(static_cast<size_t>(count) * static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) {
    Link& link = links[static_cast<size_t>(i * count + i)];
    link.link_class = LinkClass::self;
    link.path = PeerPath::direct;
  }
  return links;
}

Result<std::vector<Link>> parse_links(const SpecField& links, int count) {
  LinkReader reader(count);
  CANOPY_TRY(reader.read(links));
  return reader.take();
}

}  // namespace canopy::topology
