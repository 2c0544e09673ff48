// JinjaToken: what a template's source is cut into.

/// A token of a template.
struct JinjaToken: Equatable {
    enum Kind: Equatable {
        case text(String)
        case blockBegin, blockEnd
        case outputBegin, outputEnd
        case name(String)
        case string(String)
        case int(Int)
        case bigInteger(String)
        case double(Double)
        case symbol(Symbol)
        case end
    }

    /// Operators and punctuation. Longer ones first where one begins another.
    enum Symbol: String, CaseIterable {
        case floorDivide = "//"
        case power = "**"
        case equal = "=="
        case notEqual = "!="
        case greaterOrEqual = ">="
        case lessOrEqual = "<="
        case add = "+"
        case subtract = "-"
        case divide = "/"
        case multiply = "*"
        case remainder = "%"
        case tilde = "~"
        case leftBracket = "["
        case rightBracket = "]"
        case leftParenthesis = "("
        case rightParenthesis = ")"
        case leftBrace = "{"
        case rightBrace = "}"
        case greater = ">"
        case less = "<"
        case assign = "="
        case dot = "."
        case colon = ":"
        case pipe = "|"
        case comma = ","
        case semicolon = ";"
    }

    let kind: Kind
    /// Counted from 1.
    let line: Int

    /// The token as an error names it.
    var description: String {
        switch kind {
        case .text: "text"
        case .blockBegin: "'{%'"
        case .blockEnd: "'%}'"
        case .outputBegin: "'{{'"
        case .outputEnd: "'}}'"
        case .name(let name): "'\(name)'"
        case .string: "a string"
        case .int, .bigInteger, .double: "a number"
        case .symbol(let symbol): "'\(symbol.rawValue)'"
        case .end: "the end of the template"
        }
    }
}
