// PythonCase: upper and lower case and the classes of characters, as Python's str has them.

enum PythonCase {
    /// Lower case, with the Greek sigma in its final form where it ends a word.
    static func lower(_ text: String) -> String {
        // The first byte of a sigma; most texts hold none.
        guard text.utf8.contains(0xCE), text.unicodeScalars.contains("\u{3A3}") else { return text.lowercased() }
        let scalars = Array(text.unicodeScalars)
        var result = ""
        for (position, scalar) in scalars.enumerated() {
            appendLower(scalar, at: position, of: scalars, to: &result)
        }
        return result
    }

    private static func appendLower(
        _ scalar: Unicode.Scalar, at position: Int, of scalars: [Unicode.Scalar], to result: inout String
    ) {
        if scalar == "\u{3A3}" {
            result += isFinalSigma(at: position, in: scalars) ? "\u{3C2}" : "\u{3C3}"
        } else {
            result += scalar.properties.lowercaseMapping
        }
    }

    /// A sigma is final after a letter and before none; marks between are passed over (Unicode 3.13, Final_Sigma).
    private static func isFinalSigma(at position: Int, in scalars: [Unicode.Scalar]) -> Bool {
        let before = scalars[..<position].last { !$0.properties.isCaseIgnorable }
        guard let before, before.properties.isCased else { return false }
        let after = scalars[(position + 1)...].first { !$0.properties.isCaseIgnorable }
        return !(after?.properties.isCased ?? false)
    }

    /// The first character in title case, the others in lower case.
    static func capitalize(_ text: String) -> String {
        guard let first = text.unicodeScalars.first else { return text }
        return first.properties.titlecaseMapping + lowerTail(Array(text.unicodeScalars))
    }

    private static func lowerTail(_ scalars: [Unicode.Scalar]) -> String {
        var result = ""
        for position in scalars.indices.dropFirst() {
            appendLower(scalars[position], at: position, of: scalars, to: &result)
        }
        return result
    }

    /// Every run of letters with its first in title case and the others in lower case.
    static func title(_ text: String) -> String {
        let scalars = Array(text.unicodeScalars)
        var result = ""
        var isInWord = false
        for (position, scalar) in scalars.enumerated() {
            if isInWord {
                appendLower(scalar, at: position, of: scalars, to: &result)
            } else {
                result += scalar.properties.titlecaseMapping
            }
            isInWord = scalar.properties.isCased
        }
        return result
    }

    static func swapcase(_ text: String) -> String {
        let scalars = Array(text.unicodeScalars)
        var result = ""
        for (position, scalar) in scalars.enumerated() {
            if scalar.properties.isUppercase {
                appendLower(scalar, at: position, of: scalars, to: &result)
            } else if scalar.properties.isLowercase {
                result += scalar.properties.uppercaseMapping
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    static func isUpper(_ text: String) -> Bool { isCased(text) { $0.isUppercase } }
    static func isLower(_ text: String) -> Bool { isCased(text) { $0.isLowercase } }

    private static func isCased(_ text: String, _ isWanted: (Unicode.Scalar.Properties) -> Bool) -> Bool {
        var found = false
        for properties in text.unicodeScalars.lazy.map(\.properties) {
            if isWanted(properties) {
                found = true
            } else if properties.isUppercase || properties.isLowercase || properties.generalCategory == .titlecaseLetter
            {
                return false
            }
        }
        return found
    }

    static func isTitle(_ text: String) -> Bool {
        var found = false
        var isInWord = false
        for properties in text.unicodeScalars.lazy.map(\.properties) {
            if properties.isUppercase || properties.generalCategory == .titlecaseLetter {
                if isInWord { return false }
                isInWord = true
                found = true
            } else if properties.isLowercase {
                if !isInWord { return false }
            } else {
                isInWord = false
            }
        }
        return found
    }

    /// Whether `text` is not empty and all of it passes.
    static func all(_ text: String, _ passes: (Unicode.Scalar) -> Bool) -> Bool {
        !text.isEmpty && text.unicodeScalars.allSatisfy(passes)
    }

    static func isAlphabetic(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: true
        default: false
        }
    }

    static func isDecimal(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.numericType == .decimal }

    static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.numericType {
        case .decimal, .digit: true
        default: false
        }
    }

    static func isNumeric(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.numericType != nil }

    static func isAlphanumeric(_ scalar: Unicode.Scalar) -> Bool { isAlphabetic(scalar) || isNumeric(scalar) }

    /// Whether `repr` shows the character as it is.
    static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
        case .spaceSeparator: scalar == " "
        default: true
        }
    }

    static func isIdentifier(_ text: String) -> Bool {
        guard let first = text.unicodeScalars.first else { return false }
        return (first == "_" || first.properties.isXIDStart)
            && text.unicodeScalars.dropFirst().allSatisfy(\.properties.isXIDContinue)
    }
}
