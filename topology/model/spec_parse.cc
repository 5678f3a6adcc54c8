// parse_spec(): text of a spec file to Machine.
#include "topology/model/auto_machine.h"
#include "topology/model/spec_field.h"
#include "topology/model/spec_file.h"
#include "topology/model/spec_links.h"

#include <algorithm>
#include <set>

namespace canopy::topology {
namespace {
constexpr uint64_t kFormat = 1;
constexpr int kMaxNesting = 16;  // the format needs 4; a deep file is a mistake or an attack
constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr uint64_t kHbmGranule = 2 * kMiB;
constexpr uint64_t kMostHbm = uint64_t{16} << 40;
constexpr uint64_t kMostCores = 1024;

Result<> check_nesting(std::string_view text, const std::string& origin) {
  int depth = 0;
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (quoted) {
      i += c == '\\' ? 1 : 0;
      quoted = c != '"';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxNesting) {
        return fail(Errc::parse, "spec {}: byte {}: nested deeper than {} levels", origin, i,
                    kMaxNesting);
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return {};
}

// The text as JSON. A key given twice is an error: JSON readers keep the last, people the first.
Result<Json> read_json(std::string_view text, const std::string& origin) {
  CANOPY_TRY(check_nesting(text, origin));
  std::vector<std::set<std::string>> keys;
  std::string twice;
  auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) {
      keys.emplace_back();
    } else if (event == Json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == Json::parse_event_t::key &&
               !keys.back().insert(parsed.get<std::string>()).second && twice.empty()) {
      twice = parsed.dump(-1, ' ', true);
    }
    return true;
  };
  try {
    Json json = Json::parse(text, watch);
    if (!twice.empty()) {
      return fail(Errc::parse, "spec {}: the key {} is given twice in one object", origin, twice);
    }
    return json;
  } catch (const Json::exception& error) {
    // "[json.exception.parse_error.101] parse error at line 3, column 5: ...": people want the
    // rest.
    std::string_view what = error.what();
    what.remove_prefix(std::min(what.find("] ") + 2, what.size()));
    return fail(Errc::parse, "spec {}: not valid JSON ({} bytes read): {}", origin, text.size(),
                what);
  }
}

bool is_bus_id(std::string_view text) {
  constexpr std::string_view kShape = "xxxx:xx:xx.d";
  if (text.size() != kShape.size()) {
    return false;
  }
  for (size_t i = 0; i < text.size(); ++i) {
    bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    bool fits = kShape[i] == 'x'   ? hex
                : kShape[i] == 'd' ? text[i] >= '0' && text[i] <= '7'
                                   : text[i] == kShape[i];
    if (!fits) {
      return false;
    }
  }
  return true;
}

Result<> read_text(const SpecField& field, std::string_view key, size_t least, std::string& out) {
  if (auto member = field.find(key)) {
    CANOPY_ASSIGN(out, member->text(least, 63));
  }
  return {};
}

Result<> read_bytes(const SpecField& field, std::string_view key, uint64_t least, uint64_t most,
                    uint64_t& out) {
  if (auto member = field.find(key)) {
    CANOPY_ASSIGN(out, member->bytes(least, most));
  }
  return {};
}

// Reads the fields that `field` has over those in `npu`.
Result<> read_npu(const SpecField& field, Npu& npu) {
  CANOPY_TRY(read_text(field, "soc", 1, npu.soc));
  CANOPY_TRY(field.read_integer("cube_cores", 0, kMostCores, npu.cube_cores));
  CANOPY_TRY(field.read_integer("vector_cores", 1, kMostCores, npu.vector_cores));
  CANOPY_TRY(field.read_integer("aicpu_cores", 1, kMostCores, npu.aicpu_cores));
  CANOPY_TRY(read_bytes(field, "hbm", kHbmGranule, kMostHbm, npu.hbm_bytes));
  if (npu.hbm_bytes % kHbmGranule != 0) {
    return field.refuse("hbm is {} bytes, must be a multiple of {}", npu.hbm_bytes, kHbmGranule);
  }
  CANOPY_TRY(read_bytes(field, "l2", 0, kMostHbm, npu.l2_bytes));
  uint64_t ub_bytes = npu.ub_bytes;
  CANOPY_TRY(read_bytes(field, "ub", 1024, 1024 * kMiB, ub_bytes));
  npu.ub_bytes = static_cast<uint32_t>(ub_bytes);
  CANOPY_TRY(read_text(field, "pci_bus_id", 1, npu.pci_bus_id));
  if (!npu.pci_bus_id.empty() && !is_bus_id(npu.pci_bus_id)) {
    return field.refuse("pci_bus_id is \"{}\", must look like 0000:c1:00.0 (lower case)",
                        npu.pci_bus_id);
  }
  CANOPY_TRY(field.read_integer("numa_node", 0, 1023, npu.numa_node));
  CANOPY_TRY(read_text(field, "nic", 0, npu.nic));
  if (auto placeholder = field.find("placeholder")) {
    CANOPY_ASSIGN(npu.placeholder, placeholder->boolean());
  }
  return {};
}

Result<> check_npus(const SpecField& top, std::vector<Npu>& npus) {
  std::set<std::string> bus_ids;
  for (Npu& npu : npus) {
    std::string_view missing = npu.soc.empty()         ? "soc"
                               : npu.vector_cores == 0 ? "vector_cores"
                               : npu.aicpu_cores == 0  ? "aicpu_cores"
                               : npu.hbm_bytes == 0    ? "hbm"
                                                       : "";
    if (!missing.empty()) {
      return top.refuse("NPU {} has no '{}', neither in 'npu' nor in its entry of 'npus'", npu.id,
                        missing);
    }
    if (npu.pci_bus_id.empty()) {
      npu.pci_bus_id = generated_bus_id(npu.id);
    }
    if (!bus_ids.insert(npu.pci_bus_id).second) {
      return top.refuse("NPU {} has the pci_bus_id {} of another NPU", npu.id, npu.pci_bus_id);
    }
  }
  return {};
}

#define CANOPY_NPU_FIELDS                                                              \
  "soc", "cube_cores", "vector_cores", "aicpu_cores", "hbm", "l2", "ub", "pci_bus_id", \
      "numa_node", "nic", "placeholder"

Result<std::vector<Npu>> read_npus(const SpecField& top) {
  Npu common;
  common.ub_bytes = 192 * 1024;
  if (auto npu = top.find("npu")) {
    CANOPY_TRY(npu->expect_object({CANOPY_NPU_FIELDS}));
    CANOPY_TRY(read_npu(*npu, common));
  }
  auto list = top.find("npus");
  if (list) {
    CANOPY_TRY(list->expect_array(1, kMaxNpus));
  }
  uint64_t count = list ? list->size() : 0;
  if (auto field = top.find("count")) {
    CANOPY_ASSIGN(count, field->integer(1, kMaxNpus));
  } else if (!list) {
    return top.refuse("has neither 'count' nor 'npus', so the number of NPUs is not known");
  }
  if (list && list->size() > count) {
    return top.refuse("'npus' has {} entries, but 'count' is {}", list->size(), count);
  }
  std::vector<Npu> npus(count, common);
  for (size_t i = 0; i < count; ++i) {
    npus[i].id = static_cast<int>(i);
  }
  std::vector<bool> described(count);
  for (size_t i = 0; list && i < list->size(); ++i) {
    SpecField entry = list->at(i);
    CANOPY_TRY(entry.expect_object({"id", CANOPY_NPU_FIELDS}));
    size_t id = i;
    CANOPY_TRY(entry.read_integer("id", 0, count - 1, id));
    if (described[id]) {
      return entry.refuse("describes NPU {} a second time", id);
    }
    described[id] = true;
    CANOPY_TRY(read_npu(entry, npus[id]));
  }
  CANOPY_TRY(check_npus(top, npus));
  return npus;
}
#undef CANOPY_NPU_FIELDS

}  // namespace

Result<Machine> parse_spec(std::string_view json, const std::string& origin) {
  CANOPY_ASSIGN(Json document, read_json(json, origin));
  SpecField top(document, "", origin);
  CANOPY_TRY(top.expect_object({"canopy_spec", "name", "count", "npu", "npus", "links"}));
  CANOPY_ASSIGN(SpecField format, top.need("canopy_spec"));
  CANOPY_TRY(format.integer(kFormat, kFormat));
  CANOPY_ASSIGN(SpecField name_field, top.need("name"));
  CANOPY_ASSIGN(std::string name, name_field.text(1, 63));
  CANOPY_ASSIGN(std::vector<Npu> npus, read_npus(top));
  int count = static_cast<int>(npus.size());
  auto links_field = top.find("links");
  if (!links_field && count > 1) {
    return top.refuse("has {} NPUs but no 'links'", count);
  }
  std::vector<Link> links = self_links(count);
  if (links_field) {
    CANOPY_ASSIGN(links, parse_links(*links_field, count));
  }
  return Machine(std::move(name), origin, std::move(npus), std::move(links));
}

}  // namespace canopy::topology
