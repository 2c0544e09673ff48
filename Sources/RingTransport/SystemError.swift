// Numbers of the system as text for people.

import Glibc

enum SystemError {
    /// The system's sentence for an error number.
    static func text(_ code: Int32) -> String {
        // Since glibc 2.32 strerror is safe among threads.
        guard let text = strerror(code) else { return "error \(code)" }
        return String(cString: text).lowercased()
    }
}

extension Duration {
    /// Seconds with up to three decimals, as people write them.
    var inSeconds: String {
        let milliseconds = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
        let (whole, rest) = (milliseconds / 1000, milliseconds % 1000)
        guard rest != 0 else { return "\(whole)" }
        var digits = String(rest + 1000).dropFirst()
        while digits.last == "0" { digits = digits.dropLast() }
        return "\(whole).\(digits)"
    }
}
