// JinjaValueJSONTests: reading JSON with the order of keys kept, strictly and without trusting it.

import Foundation
import Testing

@testable import Text

struct JinjaValueJSONTests {
    @Test func keepsTheOrderOfKeys() throws {
        let value = try JinjaValue(json: #"{"z": 1, "a": {"y": 2, "b": 3}, "m": [], "z2": null}"#)
        guard case .object(let object) = value, case .object(let inner)? = value["a"] else {
            Issue.record("not an object")
            return
        }
        #expect(object.keys == ["z", "a", "m", "z2"])
        #expect(inner.keys == ["y", "b"])
    }

    @Test func readsEveryKindOfValue() throws {
        let text = """
             { "a" : [ true , false , null ] , "i": -12, "big": 18446744073709551616, "d": 1.5e-3, "zero": -0,
             "s": "q\\" b\\\\ s\\/ \\b\\f\\n\\r\\t \\u00e9 \\ud83d\\ude00 日本 " } \r\n\t
            """
        let expected: JinjaValue = [
            "a": [true, false, nil], "i": -12, "big": .bigInteger("18446744073709551616"), "d": 0.0015, "zero": 0,
            "s": "q\" b\\ s/ \u{8}\u{C}\n\r\t é 😀 日本 ",
        ]
        #expect(try JinjaValue(json: text) == expected)
    }

    @Test func aKeyThatComesTwiceHasItsFirstPlaceAndItsLastValue() throws {
        let value = try JinjaValue(json: #"{"a": 1, "b": 2, "a": 3}"#)
        #expect(value == ["a": 3, "b": 2])
        guard case .object(let object) = value else { return }
        #expect(object.keys == ["a", "b"])
    }

    @Test func keysThatOnlyLookTheSameAreTwo() throws {
        // An é as one character and as two.
        let value = try JinjaValue(json: "{\"\u{E9}\": 1, \"e\u{301}\": 2}")
        #expect(value["\u{E9}"] == 1)
        #expect(value["e\u{301}"] == 2)
        #expect(JinjaValue.string("\u{E9}") != JinjaValue.string("e\u{301}"))
    }

    @Test func manyKeysAreFound() throws {
        var object = JinjaObject((0..<1000).map { ("key \($0)", JinjaValue.int($0)) })
        #expect((0..<1000).allSatisfy { object["key \($0)"] == .int($0) })
        #expect(object["key 1000"] == nil)
        object["key 7"] = nil
        #expect(object.count == 999)
        #expect(object["key 7"] == nil)
        #expect(object["key 999"] == 999)
        object["key 8"] = "new"
        #expect(object["key 8"] == "new")
        #expect(object.keys.prefix(8).last == "key 8")
    }

    @Test(arguments: [
        "", " ", "{", "[", "[1", "[1,", "[1,]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{a: 1}", "{1: 1}",
        "{\"a\" 1}",
        "nul", "tru", "True", "NaN", "Infinity", "01", "+1", "1.", ".5", "1e", "1e+", "-", "--1", "0x1", "1 2", "[] []",
        "\"", "\"\\\"",
        "\"\\q\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"a\nb\"", "'a'",
        "[1}", "{]", "// a",
    ])
    func refusesWhatIsNotJSON(text: String) {
        #expect(throws: OrderedJSONError.self) { try JinjaValue(json: text) }
    }

    @Test func refusesBytesThatAreNotUTF8() {
        #expect(throws: OrderedJSONError.self) { try JinjaValue(json: [0x22, 0xFF, 0x22] as [UInt8]) }
        #expect(throws: OrderedJSONError.self) { try JinjaValue(json: [0x22, 0xED, 0xA0, 0x80, 0x22] as [UInt8]) }
    }

    @Test func nestingIsBounded() throws {
        let depth = JinjaLimits().valueNestingMax
        func nested(_ count: Int) -> String {
            String(repeating: "[", count: count) + String(repeating: "]", count: count)
        }
        #expect(throws: Never.self) { try JinjaValue(json: nested(depth)) }
        let error = #expect(throws: OrderedJSONError.self) { try JinjaValue(json: nested(depth + 1)) }
        #expect(error == OrderedJSONError(message: "more than \(depth) levels of nesting", byteOffset: depth))
        #expect(throws: OrderedJSONError.self) { try JinjaValue(json: String(repeating: "[", count: 10_000_000)) }
        #expect(throws: OrderedJSONError.self) {
            try JinjaValue(json: String(repeating: "{\"a\":", count: 1_000_000))
        }
    }

    /// What Foundation reads of the same bytes, order aside.
    @Test func readsWhatFoundationReads() throws {
        let text = #"{"a":[1,2.5,-3e2,"x\u00e9\n",true,null,{"b":{"c":[[],{}]}}],"":"","k":1e-7}"#
        let foundation = try JSONDecoder().decode(Plain.self, from: Data(text.utf8))
        #expect(try Plain(JinjaValue(json: text)) == foundation)
    }

    /// Any JSON value as Foundation reads it.
    private enum Plain: Decodable, Equatable {
        case none, bool(Bool), number(Double), string(String), array([Plain]), object([String: Plain])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if container.decodeNil() {
                self = .none
            } else if let value = try? container.decode(Bool.self) {
                self = .bool(value)
            } else if let value = try? container.decode(Double.self) {
                self = .number(value)
            } else if let value = try? container.decode(String.self) {
                self = .string(value)
            } else if let value = try? container.decode([Plain].self) {
                self = .array(value)
            } else {
                self = .object(try container.decode([String: Plain].self))
            }
        }

        init(_ value: JinjaValue) throws {
            switch value {
            case .none, .undefined: self = .none
            case .bool(let value): self = .bool(value)
            case .int(let value): self = .number(Double(value))
            case .bigInteger(let digits): self = .number(Double(digits) ?? .nan)
            case .double(let value): self = .number(value)
            case .string(let text): self = .string(text)
            case .array(let elements): self = .array(try elements.map { try Plain($0) })
            case .object(let object):
                self = .object(
                    Dictionary(uniqueKeysWithValues: try zip(object.keys, object.values).map { ($0, try Plain($1)) }))
            }
        }
    }
}
