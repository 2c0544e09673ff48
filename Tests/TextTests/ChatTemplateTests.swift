// ChatTemplateTests: what callers of ChatTemplate rely on: variables, errors with their lines, dates.

import Testing

@testable import Text

struct ChatTemplateTests {
    private func template(_ source: String, specialTokens: [String: String] = [:]) throws -> ChatTemplate {
        try ChatTemplate(source: source, specialTokens: specialTokens)
    }

    private let messages: JinjaValue = [["role": "user", "content": "Hi"]]

    @Test func rendersMessagesWithSpecialTokens() throws {
        let source = """
            {{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ eos_token }}{% endfor %}\
            {% if add_generation_prompt %}<assistant>{% endif %}
            """
        let template = try template(source, specialTokens: ["bos_token": "<s>", "eos_token": "</s>"])
        #expect(
            try template.render(messages: messages, addGenerationPrompt: true) == "<s><user>Hi</s><assistant>")
        #expect(try template.render(messages: messages, addGenerationPrompt: false) == "<s><user>Hi</s>")
    }

    @Test func toolsAndDocumentsAreNoneUnlessGiven() throws {
        let template = try template("{{ tools is none }} {{ documents is none }} {{ other is defined }}")
        #expect(try template.render(messages: messages, addGenerationPrompt: true) == "True True False")
        let given = try template.render(
            messages: messages, tools: [["type": "function"]], addGenerationPrompt: true,
            extra: ["documents": [], "other": 1])
        #expect(given == "False False True")
    }

    @Test func aRequestsVariablesGoBeforeSpecialTokensButNotBeforeMessages() throws {
        let template = try template("{{ bos_token }}{{ messages | length }}", specialTokens: ["bos_token": "<s>"])
        let rendered = try template.render(
            messages: messages, addGenerationPrompt: false, extra: ["bos_token": "[", "messages": []])
        #expect(rendered == "[1")
    }

    /// Clients say `reasoning`, templates read `reasoning_content` or `thinking`.
    @Test(arguments: ["reasoning_content", "thinking", "reasoning"])
    func reasoningIsFoundUnderItsOtherNames(name: String) throws {
        let template = try template("{{ messages[0].reasoning_content }}/{{ messages[0].thinking }}")
        var message = JinjaObject([("role", .string("assistant"))])
        message[name] = "so"
        let messages = JinjaValue.array([.object(message)])
        #expect(try template.render(messages: messages, addGenerationPrompt: false) == "so/so")
    }

    @Test func aRefusalSaysWhatTheTemplateSaid() throws {
        let template = try template("\n{{ raise_exception('Roles must alternate: ' ~ messages[0].role) }}")
        let error = #expect(throws: ChatTemplateError.self) {
            try template.render(messages: messages, addGenerationPrompt: true)
        }
        #expect(error?.kind == .raised)
        #expect(error?.message == "Roles must alternate: user")
        #expect(error.map { "\($0)" } == "Roles must alternate: user")
        #expect(error?.line == 2)
    }

    @Test(arguments: [
        ("a\n{% if x %}\nb\n", 2, "'if' is not closed"),
        (
            "a\n{% for x in y %}{% endif %}", 2,
            "unknown tag 'endif'; expected 'else' or 'endfor' to close 'for' of line 2"
        ),
        ("{{ a\n+ }}", 2, "unexpected '}}'"),
        ("\n\n{{ 'abc }}", 3, "a string is not closed with '"),
        ("{{ a", 1, "a tag is not closed with '}}'"),
        ("\n{# a", 2, "a comment is not closed with '#}'"),
        ("{{ x | nope }}", 1, "there is no filter 'nope'"),
        ("{{ x | pprint }}", 1, "the filter 'pprint' is not supported"),
        ("\n{{ x is nope }}", 2, "there is no test 'nope'"),
        ("{% block a %}{% endblock %}", 1, "'block' is not supported: a chat template cannot be extended by another"),
        ("{% do x %}", 1, "unknown tag 'do'"),
    ])
    func errorsInTheSourceHaveTheirLine(source: String, line: Int, message: String) {
        let error = #expect(throws: ChatTemplateError.self) { try template(source) }
        #expect(error == ChatTemplateError(.syntax, message, line: line))
    }

    @Test(arguments: [
        ("\n{{ missing.role }}", 2, "'missing' is undefined"),
        ("{{ messages[0]\n.tool_calls[0] }}", 2, "'dict object' has no attribute 'tool_calls'"),
        ("a\n{% if 1 %}\n{{ 'a' + 1 }}{% endif %}", 3, "can only concatenate str (not \"int\") to str"),
        ("{% macro m() %}\n{{ none() }}{% endmacro %}\n\n{{ m() }}", 2, "'NoneType' object is not callable"),
        ("{% for m in messages %}\n{{ m | nope if 1 }}{% endfor %}", 2, "there is no filter 'nope'"),
        ("\n{% include 'other' %}", 2, "'include' is not available: a chat template stands alone"),
        ("{{ messages.append(1) }}", 1, "access to attribute 'append' of 'list' object is unsafe"),
        ("{{ 'a'.encode() }}", 1, "the method 'encode' of strings is not supported"),
        ("{{ 'a' | replace }}", 1, "replace: the argument 'old' is missing"),
        ("{{ 'a'.upper(1) }}", 1, "str.upper: takes at most 0 arguments, 1 were given"),
        ("{{ messages | tojson(depth=1) }}", 1, "tojson: there is no argument 'depth'"),
    ])
    func errorsWhileRenderingHaveTheirLine(source: String, line: Int, message: String) throws {
        let template = try template(source)
        let error = #expect(throws: ChatTemplateError.self) {
            try template.render(messages: messages, addGenerationPrompt: true)
        }
        #expect(error == ChatTemplateError(.evaluation, message, line: line))
    }

    @Test func printsTheDateAsked() throws {
        let template = try template("{{ strftime_now('%d %b %Y, %H:%M:%S') }}")
        let rendered = try template.render(context: [:], now: .reference)
        #expect(rendered == "26 Jul 2024, 12:34:56")
        let today = try ChatTemplate(source: "{{ strftime_now('%Y') }}", specialTokens: [:]).render(context: [:])
        #expect(Int(today).map { $0 >= 2024 } == true)
    }

    @Test func oneTemplateRendersForManyAtOnce() async throws {
        let template = try template(
            "{% set ns = namespace(n=0) %}{% for i in range(n) %}{% set ns.n = ns.n + i %}{% endfor %}{{ ns.n }}")
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for n in 0..<50 {
                group.addTask { try template.render(context: ["n": .int(n)]) == String(n * (n - 1) / 2) }
            }
            for try await isRight in group { #expect(isRight) }
        }
    }
}

extension TemplateClock {
    /// The date the vectors were made at.
    static let reference = TemplateClock(year: 2024, month: 7, day: 26, hour: 12, minute: 34, second: 56)
}
