// ChatTemplate: a model's chat template: from messages to the text of a prompt.

/// A chat template: the small Jinja program beside a model that writes messages as the text the model was trained on.
///
/// It renders what Hugging Face's transformers renders: Jinja 3.1 in its immutable sandbox with trim_blocks,
/// lstrip_blocks and loop controls, the functions `raise_exception` and `strftime_now`, a plain `tojson`, and
/// `generation` blocks. No template, however hostile, takes more time or memory than ``JinjaLimits`` allow.
///
/// Left out, each with an error that says so: `include`, `import`, `extends` and `block` (a template stands alone);
/// `autoescape true`; the filters `urlize`, `pprint` and `wordwrap`; the function `lipsum`; the string methods
/// `encode`, `translate`, `maketrans` and `casefold`; arithmetic beyond 64 bits.
public struct ChatTemplate: Sendable {
    private let program: JinjaProgram
    private let specialTokens: [String: String]
    private let limits: JinjaLimits

    /// Reads a template.
    /// - Parameters:
    ///   - source: the Jinja source.
    ///   - specialTokens: variables every rendering has, such as `bos_token`.
    /// - Throws: ``ChatTemplateError`` with the line.
    public init(source: String, specialTokens: [String: String], limits: JinjaLimits = JinjaLimits()) throws {
        program = try JinjaParser.program(of: source, limits: limits)
        self.specialTokens = specialTokens
        self.limits = limits
    }

    /// The text of a prompt.
    /// - Parameters:
    ///   - messages: an array of objects with `role`, `content` and so on, as clients send them.
    ///   - tools: the tools' JSON schemas, nil for none.
    ///   - addGenerationPrompt: whether the prompt ends with the start of the assistant's answer.
    ///   - extra: further variables, such as a request's `chat_template_kwargs`; they go before special tokens.
    ///   - now: the date for `strftime_now`.
    /// - Throws: ``ChatTemplateError``; of kind `raised` where the template refuses the messages.
    public func render(
        messages: JinjaValue, tools: JinjaValue? = nil, addGenerationPrompt: Bool,
        extra: [String: JinjaValue] = [:], now: TemplateClock = .now
    ) throws -> String {
        var context = specialTokens.mapValues { JinjaValue.string($0) }
        context["documents"] = JinjaValue.none
        context.merge(extra) { $1 }
        context["messages"] = Self.withReasoningNames(messages)
        context["tools"] = tools ?? JinjaValue.none
        context["add_generation_prompt"] = .bool(addGenerationPrompt)
        return try render(context: context, now: now)
    }

    /// The text for any variables. Special tokens are not added.
    /// - Throws: ``ChatTemplateError``
    public func render(context: [String: JinjaValue], now: TemplateClock = .now) throws -> String {
        let interpreter = try JinjaInterpreter(program: program, context: context, clock: now, limits: limits)
        return try interpreter.render()
    }

    /// The names under which clients send and templates read what the model thought before it answered.
    private static let reasoningNames = ["reasoning_content", "thinking", "reasoning"]

    /// The messages with their reasoning under all names that templates read, as transformers gives it to them.
    private static func withReasoningNames(_ messages: JinjaValue) -> JinjaValue {
        guard case .array(let messages) = messages else { return messages }
        return .array(
            messages.map { message in
                guard case .object(let object) = message else { return message }
                let reasoning = reasoningNames.lazy.compactMap { object[$0] }.first { $0 != JinjaValue.none }
                guard let reasoning else { return message }
                var named = JinjaObject([("thinking", reasoning)])
                for (key, value) in zip(object.keys, object.values) { named[key] = value }
                named["reasoning_content"] = reasoning
                return .object(named)
            })
    }
}
