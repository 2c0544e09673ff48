// What tokenizer_config.json says beside tokenizer.json.

import Testing

@testable import Text

@Suite("Tokenizer configuration")
struct TokenizerConfigurationTests {
    @Test("Special tokens by role, as text or as objects; flags are no tokens")
    func roles() throws {
        let tokenizer = try TokenizerFixture.byteLevel.tokenizer(
            configuration: """
                {"bos_token": {"content": "<|begin|>", "lstrip": false}, "eos_token": "<|end|>", "pad_token": null,
                 "image_token": "<|image|>", "add_prefix_token": true, "model_max_length": 1e30}
                """)
        #expect(
            tokenizer.specialTokens
                == ["bos_token": "<|begin|>", "eos_token": "<|end|>", "image_token": "<|image|>"])
        #expect(tokenizer.bosToken == "<|begin|>")
        #expect(tokenizer.bosTokenID == 420)
        #expect(tokenizer.eosTokenID == 421)
    }

    @Test("Without a configuration there is nothing to say")
    func none() throws {
        let tokenizer = try TokenizerFixture.byteLevel.tokenizer()
        #expect(tokenizer.specialTokens.isEmpty)
        #expect(tokenizer.bosTokenID == nil)
        #expect(tokenizer.chatTemplate == nil)
    }

    @Test(
        "Flags outrank the template of tokenizer.json",
        arguments: [
            (#""add_bos_token": true"#, [UInt32(420)], [UInt32]()), (#""add_bos_token": false"#, [], []),
            (#""add_eos_token": true"#, [420], [421]), (#""add_bos_token": null"#, [420], []),
        ])
    func flags(flag: String, prefix: [UInt32], suffix: [UInt32]) throws {
        let tokenizer = try TokenizerFixture.byteLevel.tokenizer(
            configuration: #"{"bos_token": "<|begin|>", "eos_token": "<|end|>", \#(flag)}"#)
        let ids = tokenizer.encode("text", addSpecialTokens: false)
        #expect(tokenizer.encode("text", addSpecialTokens: true) == prefix + ids + suffix)
    }

    @Test(
        "One template, or of several the one named default",
        arguments: [
            (#""one""#, "one"),
            (#"[{"name": "tool_use", "template": "a"}, {"name": "default", "template": "b"}]"#, "b"),
            (#"[{"name": "tool_use", "template": "a"}]"#, nil), ("null", nil),
        ])
    func templates(json: String, expected: String?) throws {
        let tokenizer = try TokenizerFixture.byteLevel.tokenizer(configuration: #"{"chat_template": \#(json)}"#)
        #expect(tokenizer.chatTemplate == expected)
    }

    @Test(
        "What is wrong in it is named",
        arguments: [
            (#"{"add_bos_token": true}"#, "add_bos_token"), (#"{"add_bos_token": "yes"}"#, "add_bos_token"),
            (#"{"add_eos_token": true, "eos_token": "<|no such|>"}"#, "add_eos_token"),
            (#"{"bos_token": 5}"#, "bos_token"), (#"{"chat_template": 5}"#, "chat_template"),
        ])
    func faults(json: String, field: String) throws {
        let error = #expect(throws: TokenizerError.self) {
            try TokenizerFixture.byteLevel.tokenizer(configuration: json)
        }
        #expect(error?.file == "tokenizer_config.json")
        #expect(error?.field == field)
    }
}
