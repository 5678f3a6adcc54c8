// Every refusal of a spec file is a sentence with field, value and limit.
#include "tests/unit/topology/spec_text.h"
#include "topology/model/spec_file.h"

#include <ostream>
#include <random>

#include <gtest/gtest.h>

namespace canopy::topology {
namespace {

struct BadSpec {
  const char* name;
  std::string text;
  std::vector<std::string> said;  // what the sentence must contain
};
void PrintTo(const BadSpec& bad, std::ostream* out) { *out << bad.name; }

class MalformedSpec : public testing::TestWithParam<BadSpec> {};

TEST_P(MalformedSpec, IsRefusedWithASentence) {
  ASSERT_FALSE(GetParam().text.empty()) << "the change of this case does not match kTwoPairs";
  auto machine = parse_spec(GetParam().text, "bad.json");
  ASSERT_FALSE(machine);
  EXPECT_EQ(machine.error().code, Errc::parse);
  std::string sentence = error_text::newest();
  EXPECT_TRUE(sentence.starts_with("spec bad.json: ")) << sentence;
  for (const std::string& part : GetParam().said) {
    EXPECT_NE(sentence.find(part), std::string::npos)
        << "wanted: " << part << "\ngot: " << sentence;
  }
}

std::string with_links(const char* links) {
  std::string text(kTwoPairs);
  return text.replace(text.find("\"links\""), std::string::npos,
                      std::string("\"links\": ") + links + "}");
}

std::string with_npus(const char* npus) {
  return changed("\"links\"", std::string("\"npus\": ") + npus + ", \"links\"");
}

const BadSpec kBadSpecs[] = {
    {"Empty", " ", {"not valid JSON", "unexpected end of input"}},
    {"Truncated", std::string(kTwoPairs.substr(0, 150)), {"150 bytes read", "line"}},
    {"TrailingText", std::string(kTwoPairs) + "x", {"not valid JSON"}},
    {"NotUtf8", changed("two-pairs", "two\xff"), {"not valid JSON"}},
    {"NumberBeyondFloat", changed("\"count\": 4", "\"count\": 1e999"), {"not valid JSON", "1e999"}},
    {"Array", "[]", {"top level", "must be an object"}},
    {"Bomb", std::string(100000, '['), {"nested deeper than 16 levels"}},
    {"ObjectBomb", "{\"a\":" + std::string(20, '{'), {"nested deeper than 16 levels"}},
    {"KeyTwice", changed("\"count\": 4", "\"count\": 4, \"count\": 5"), {"\"count\"", "twice"}},
    {"UnknownField", changed("cube_cores", "cube_core"), {"npu: ", "\"cube_core\"", "cube_cores"}},
    {"NoFormat", changed("\"canopy_spec\": 1,", ""), {"'canopy_spec' is missing"}},
    {"LaterFormat", changed("\"canopy_spec\": 1", "\"canopy_spec\": 2"), {"canopy_spec: is 2"}},
    {"NoName", changed("\"name\": \"two-pairs\",", ""), {"'name' is missing"}},
    {"NameIsNumber", changed("\"two-pairs\"", "7"), {"name: is 7, must be text"}},
    {"NameWithNewline", changed("two-pairs", "two\\npairs"), {"name: ", "printable"}},
    {"NameTooLong", changed("two-pairs", std::string(200, 'x')), {"200 characters", "1 to 63"}},
    {"NoCount", changed("\"count\": 4,", ""), {"neither 'count' nor 'npus'"}},
    {"CountNegative", changed("\"count\": 4", "\"count\": -4"), {"count: is -4", "1 to 64"}},
    {"CountZero", changed("\"count\": 4", "\"count\": 0"), {"count: is 0", "1 to 64"}},
    {"CountTooLarge", changed("\"count\": 4", "\"count\": 65"), {"count: is 65", "1 to 64"}},
    {"CountHuge", changed("\"count\": 4", "\"count\": 99999999999999999999999"), {"1 to 64"}},
    {"CountFraction", changed("\"count\": 4", "\"count\": 2.5"), {"count: is 2.5", "whole"}},
    {"CountText", changed("\"count\": 4", "\"count\": \"4\""), {"count: is \"4\"", "number"}},
    {"NpuIsArray",
     changed("\"npu\": {", "\"npu\": [], \"npus\": [{}], \"note\": {"),
     {"npu: is []"}},
    {"NoSoc", changed("\"soc\": \"TestNPU\", ", ""), {"NPU 0 has no 'soc'"}},
    {"NoHbm", changed(", \"hbm\": \"64M\"", ""), {"NPU 0 has no 'hbm'"}},
    {"NoVectorCores", changed("\"vector_cores\": 4, ", ""), {"NPU 0 has no 'vector_cores'"}},
    {"CoresHuge", changed("\"vector_cores\": 4", "\"vector_cores\": 1025"), {"1025", "1 to 1024"}},
    {"HbmNegative", changed("\"64M\"", "-1"), {"npu.hbm: is -1"}},
    {"HbmWords", changed("\"64M\"", "\"lots\""), {"npu.hbm: is \"lots\"", "64G"}},
    {"HbmTooSmall", changed("\"64M\"", "\"1M\""), {"npu.hbm", "2097152"}},
    {"HbmTooLarge", changed("\"64M\"", "\"17T\""), {"npu.hbm", "17592186044416"}},
    {"HbmOdd", changed("\"64M\"", "\"3M\""), {"hbm is 3145728", "multiple of 2097152"}},
    {"BusId", with_npus(R"([{"pci_bus_id": "c1:00.0"}])"), {"npus[0]", "c1:00.0", "look like"}},
    {"BusIdTwice",
     with_npus(R"([{"pci_bus_id": "0000:c1:00.0"}, {"pci_bus_id": "0000:c1:00.0"}])"),
     {"NPU 1", "of another NPU"}},
    {"IdTwice", with_npus(R"([{"id": 1}, {"id": 1}])"), {"npus[1]", "NPU 1 a second time"}},
    {"IdUnknown", with_npus(R"([{"id": 4}])"), {"npus[0].id: is 4", "0 to 3"}},
    {"MoreNpusThanCount", with_npus("[{}, {}, {}, {}, {}]"), {"5 entries", "'count' is 4"}},
    {"NoNpus", with_npus("[]"), {"npus: has 0 entries", "1 to 64"}},
    {"PlaceholderText", with_npus(R"([{"placeholder": "yes"}])"), {"true or false"}},
    {"NumaNegative", with_npus(R"([{"numa_node": -1}])"), {"npus[0].numa_node: is -1"}},
    {"LinksMissing", changed("\"links\"", "\"note\""), {"4 NPUs but no 'links'"}},
    {"LinksText", with_links("\"hccs\""), {"links: is \"hccs\""}},
    {"MeshUnknown", with_links(R"({"mesh": "nvlink"})"), {"links.mesh", "nvlink", "hccs_switch"}},
    {"MeshSelf", with_links(R"({"mesh": "self"})"), {"links.mesh", "itself only"}},
    {"MeshAndMatrix", with_links(R"({"mesh": "hccs", "matrix": []})"), {"'mesh' and 'matrix'"}},
    {"MatrixShort",
     with_links(R"({"matrix": [["self"]]})"),
     {"links.matrix: has 1", "must have 4"}},
    {"ClassUnknown", with_links(R"({"classes": {"ib": {}}})"), {"links.classes", "\"ib\""}},
    {"ClassSelf", with_links(R"({"classes": {"self": {}}})"), {"links.classes", "\"self\""}},
    {"BandwidthHuge",
     with_links(R"({"classes": {"hccs": {"bandwidth_MBps": 1000000000}}})"),
     {"links.classes.hccs.bandwidth_MBps", "1000000000", "100000000"}},
    {"PathUnknown",
     with_links(R"({"classes": {"hccs": {"path": "fast"}}})"),
     {"links.classes.hccs.path", "fast", "direct, staged or refused"}},
    {"PathWithoutLink",
     with_links(R"({"classes": {"none": {"path": "direct"}}})"),
     {"links.classes.none.path", "only be refused"}},
    {"GroupUnknownNpu",
     with_links(R"({"groups": [{"npus": [0, 4], "class": "hccs"}]})"),
     {"links.groups[0].npus[1]", "NPU 4", "0 to 3"}},
    {"GroupNpuTwice",
     with_links(R"({"groups": [{"npus": [1, 1], "class": "hccs"}]})"),
     {"links.groups[0].npus[1]", "twice"}},
    {"GroupOfOne",
     with_links(R"({"groups": [{"npus": [1], "class": "hccs"}]})"),
     {"links.groups[0].npus: has 1"}},
    {"GroupsOverlap",
     with_links(
         R"({"groups": [{"npus": [0, 1], "class": "hccs"}, {"npus": [1, 0], "class": "sio"}]})"),
     {"links.groups[1]", "NPU 1 and NPU 0 a second time"}},
    {"GroupNoClass", with_links(R"({"groups": [{"npus": [0, 1]}]})"), {"'class' is missing"}},
    {"PairUnknownNpu",
     with_links(R"({"pairs": [{"between": [0, -1]}]})"),
     {"links.pairs[0].between[1]", "NPU -1"}},
    {"PairWithItself", with_links(R"({"pairs": [{"between": [2, 2]}]})"), {"NPU 2 with itself"}},
    {"PairOfThree", with_links(R"({"pairs": [{"between": [0, 1, 2]}]})"), {"must have 2"}},
    {"PairTwice",
     with_links(R"({"pairs": [{"between": [0, 1]}, {"between": [1, 0]}]})"),
     {"links.pairs[1].between", "a second time"}},
};

INSTANTIATE_TEST_SUITE_P(Spec, MalformedSpec, testing::ValuesIn(kBadSpecs),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(MalformedMatrix, AsymmetryNamesBothEntries) {
  ASSERT_FALSE(machine_with_links(2, R"({"matrix": [["self", "hccs"], ["sys", "self"]]})"));
  std::string sentence = error_text::newest();
  EXPECT_NE(sentence.find("links.matrix[1][0]: is \"sys\""), std::string::npos) << sentence;
  EXPECT_NE(sentence.find("links.matrix[0][1] is \"hccs\""), std::string::npos) << sentence;
}

TEST(MalformedMatrix, DiagonalMustBeSelf) {
  ASSERT_FALSE(machine_with_links(2, R"({"matrix": [["hccs", "hccs"], ["hccs", "self"]]})"));
  EXPECT_NE(error_text::newest().find("links.matrix[0][0]"), std::string::npos);
}

TEST(MalformedSpecs, EveryPrefixOfAGoodSpecIsRefused) {
  for (size_t n = 0; n < kTwoPairs.size(); ++n) {
    EXPECT_FALSE(parse_spec(kTwoPairs.substr(0, n), "prefix")) << n;
  }
}

TEST(MalformedSpecs, RandomDamageNeverDoesMoreThanFail) {
  std::mt19937 random(1);
  for (int round = 0; round < 5000; ++round) {
    std::string text(kTwoPairs);
    for (int i = 0; i < 3; ++i) {
      text[random() % text.size()] = "{}[]\",:0-9eaz\\\x01\xc3"[random() % 17];
    }
    (void)parse_spec(text, "damaged");
  }
}

}  // namespace
}  // namespace canopy::topology
