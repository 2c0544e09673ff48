// What happens to text before it is split: the normalizer of a tokenizer.

/// The normalizer of a tokenizer: a row of rules, each applied to what the one before made.
struct TextNormalizer: Sendable {
    private enum Rule: Sendable {
        case canonicalComposition
        case prepend([UInt8])
        case replace(RegularExpression, with: [UInt8])
    }

    private let rules: [Rule]

    /// - Throws: `TokenizerProblem` when a pattern does not compile.
    init(_ definition: NormalizerDefinition?) throws {
        var rules: [Rule] = []
        try definition.map { try Self.append($0, to: &rules, field: "normalizer") }
        self.rules = rules
    }

    private static func append(_ definition: NormalizerDefinition, to rules: inout [Rule], field: String) throws {
        do {
            switch definition {
            case .canonicalComposition:
                rules.append(.canonicalComposition)
            case .prepend(let text):
                rules.append(.prepend(Array(text.utf8)))
            case .replace(.literal(let text), let content):
                guard !text.isEmpty else { return }
                rules.append(.replace(try RegularExpression(literal: text), with: Array(content.utf8)))
            case .replace(.regex(let pattern), let content):
                rules.append(.replace(try RegularExpression(oniguruma: pattern), with: Array(content.utf8)))
            case .sequence(let definitions):
                for (index, definition) in definitions.enumerated() {
                    try append(definition, to: &rules, field: "\(field).normalizers[\(index)]")
                }
            }
        } catch let problem as TokenizerProblem where problem.field == nil {
            throw TokenizerProblem(field: field + ".pattern", problem.problem)
        }
    }

    /// The normal form of a text (valid UTF-8): the text itself where nothing changes, else bytes of the workspace,
    /// valid until it is used again.
    func normalized(
        _ text: UnsafeBufferPointer<UInt8>, _ workspace: EncodingWorkspace
    ) -> UnsafeBufferPointer<UInt8> {
        var text = text
        for rule in rules where !text.isEmpty {
            // The rule before may have left its result in one of the two buffers; write into the other.
            swap(&workspace.normalized, &workspace.nextNormalized)
            let output = workspace.normalized
            output.removeAll()
            switch rule {
            case .canonicalComposition:
                if !CanonicalComposition.appendNormalForm(of: text, to: output) {
                    swap(&workspace.normalized, &workspace.nextNormalized)
                    continue
                }
            case .prepend(let prefix):
                prefix.withUnsafeBufferPointer { output.append(contentsOf: $0) }
                output.append(contentsOf: text)
            case .replace(let expression, let content):
                Self.replace(expression, in: text, with: content, workspace.expressionScratch, output)
            }
            text = UnsafeBufferPointer(output.elements)
        }
        return text
    }

    private static func replace(
        _ expression: RegularExpression, in text: UnsafeBufferPointer<UInt8>, with content: [UInt8],
        _ scratch: RegularExpressionScratch, _ output: ScratchBuffer<UInt8>
    ) {
        var position = 0
        // Empty matches would replace nothing for ever; the format's own library leaves them out as well.
        while position < text.count, let match = expression.firstMatch(in: text, from: position, scratch),
            match.start >= position, !match.isEmpty
        {
            output.append(contentsOf: UnsafeBufferPointer(rebasing: text[position..<match.start]))
            content.withUnsafeBufferPointer { output.append(contentsOf: $0) }
            position = match.end
        }
        output.append(contentsOf: UnsafeBufferPointer(rebasing: text[position...]))
    }
}
