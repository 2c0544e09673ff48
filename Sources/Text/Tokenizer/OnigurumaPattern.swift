// Regular expressions as Oniguruma reads them, written so that PCRE2 reads the same in them.

/// tokenizer.json files are made with Oniguruma (Ruby syntax, Unicode). Almost all of what they use means the same to
/// PCRE2. The rest is rewritten here or, where PCRE2 has nothing of the kind, refused; so that no pattern silently
/// splits text in another way.
///
/// The pattern itself is never normalized: it may name characters whose normal form is another character.
enum OnigurumaPattern {
    /// White space: what PCRE2 calls `\s`, without U+180E, which is no white space any more.
    private static let whitespace =
        #"\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"#
    /// Word characters: alphabetic characters (among them circled letters), marks, digits, connecting punctuation.
    private static let word =
        #"\p{L}\p{M}\p{Nl}\p{Nd}\p{Pc}\x{24b6}-\x{24e9}\x{1f130}-\x{1f149}\x{1f150}-\x{1f169}\x{1f170}-\x{1f189}"#
    private static let hexadecimal = "0-9A-Fa-f"
    // What is left over, spelled out, because a set cannot contain the complement of another one.
    private static let notWhitespace =
        #"\x00-\x08\x0e-\x1f!-\x{84}\x{86}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027}"#
        + #"\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{10ffff}"#
    private static let notHexadecimal = #"\x00-/:-@G-`g-\x{10ffff}"#

    /// - Throws: `TokenizerProblem` naming what PCRE2 could not match in the same way.
    static func translated(_ pattern: String) throws -> String {
        var reader = Reader(pattern)
        var output = String.UnicodeScalarView()
        var insideClass = false
        var hasAlternatives = false
        while let scalar = reader.next() {
            switch scalar {
            case "\\":
                output.append(contentsOf: try escape(&reader, insideClass: insideClass).unicodeScalars)
            case "[" where !insideClass:
                insideClass = true
                output.append(scalar)
                // A bracket that comes first is a member of the class.
                output.append(contentsOf: reader.take(while: { $0 == "^" }))
                output.append(contentsOf: reader.take("]") ? "\\]".unicodeScalars : "".unicodeScalars)
            case "[":
                // Sets proper, and names such as [:alpha:], of which PCRE2 has another understanding.
                throw TokenizerProblem("has a set inside a set, \"[…[…]…]\", which is not supported")
            case "]" where insideClass:
                insideClass = false
                output.append(scalar)
            case "&" where insideClass && reader.peek == "&":
                throw TokenizerProblem("intersects sets, \"[…&&…]\", which is not supported")
            case "(" where !insideClass && reader.peek == "?":
                output.append(scalar)
                output.append(contentsOf: groupOptions(&reader).unicodeScalars)
            case "{" where !insideClass:
                output.append(contentsOf: try interval(&reader).unicodeScalars)
            case "|" where !insideClass:
                hasAlternatives = true
                output.append(scalar)
            default:
                output.append(scalar)
            }
        }
        let translated = String(output)
        return hasAlternatives ? translated : skippingFailedRuns(translated)
    }

    private static func escape(_ reader: inout Reader, insideClass: Bool) throws -> String {
        guard let scalar = reader.next() else { return "\\" }
        func set(_ members: String) -> String { insideClass ? members : "[\(members)]" }
        switch scalar {
        case "s": return set(whitespace)
        case "S": return set(notWhitespace)
        case "w": return set(word)
        case "h": return set(hexadecimal)
        case "H": return set(notHexadecimal)
        case "W" where !insideClass: return "[^\(word)]"
        case "b" where !insideClass: return "(?:(?<=[\(word)])(?![\(word)])|(?<![\(word)])(?=[\(word)]))"
        case "B" where !insideClass: return "(?:(?<=[\(word)])(?=[\(word)])|(?<![\(word)])(?![\(word)]))"
        case "W", "y", "Y", "O": throw TokenizerProblem("has \"\\\(scalar)\", which is not supported there")
        case "v": return "\\x0b"
        case "u": return "\\x{\(String(reader.take(4)))}"
        case "U": return "\\x{\(String(reader.take(8)))}"
        case "Q", "E": return String(scalar)
        default: return "\\\(scalar)"
        }
    }

    /// The options of a group up to its `:` or `)`: what Oniguruma calls m (dot matches line feeds) is PCRE2's s.
    private static func groupOptions(_ reader: inout Reader) -> String {
        let options = String(reader.take(while: { "?imx-".unicodeScalars.contains($0) }))
        return options.replacing("m", with: "s")
    }

    /// `{,n}` counts from 0. `{n,m}+` repeats the repetition, where PCRE2 would make it possessive.
    private static func interval(_ reader: inout Reader) throws -> String {
        let bounds = String(reader.take(while: { $0 == "," || ("0"..."9").contains($0) }))
        guard reader.peek == "}", bounds.contains(where: \.isNumber) else { return "{\(bounds)" }
        _ = reader.next()
        guard reader.peek != "+" else {
            throw TokenizerProblem("repeats \"{\(bounds)}\" with \"+\", which is not supported")
        }
        return bounds.hasPrefix(",") ? "{0\(bounds)}" : "{\(bounds)}"
    }

    /// PCRE2's interpreter tries a pattern such as `\s+$` at every blank of a run of blanks, and runs to its end each
    /// time: the square of the run's length, which a user's text chooses. (Compiled patterns notice.) Where it fails
    /// at a run's first blank it fails at all of them, so an alternative makes the search go on behind the run.
    private static func skippingFailedRuns(_ pattern: String) -> String {
        let run = "[\(whitespace)]+"
        guard pattern.hasPrefix(run), let next = pattern.dropFirst(run.count).first, !"+?".contains(next) else {
            return pattern
        }
        return "\(pattern)|\(run)(*SKIP)(*FAIL)"
    }

    /// The scalars of a pattern, one after the other.
    private struct Reader {
        private var rest: Substring.UnicodeScalarView

        init(_ pattern: String) {
            rest = Substring(pattern).unicodeScalars
        }

        var peek: Unicode.Scalar? { rest.first }

        mutating func next() -> Unicode.Scalar? { rest.popFirst() }

        mutating func take(_ scalar: Unicode.Scalar) -> Bool {
            guard rest.first == scalar else { return false }
            rest.removeFirst()
            return true
        }

        mutating func take(_ count: Int) -> Substring.UnicodeScalarView {
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count)
        }

        mutating func take(while condition: (Unicode.Scalar) -> Bool) -> Substring.UnicodeScalarView {
            let taken = rest.prefix(while: condition)
            rest = rest.dropFirst(taken.count)
            return taken
        }
    }
}
