// TemplateClock: the date and time that a template prints with `strftime_now`.

import Glibc

/// A local date and time.
public struct TemplateClock: Sendable, Equatable {
    /// The year, such as 2024.
    public var year: Int
    /// 1 to 12.
    public var month: Int
    /// 1 to 31.
    public var day: Int
    /// 0 to 23.
    public var hour: Int
    /// 0 to 59.
    public var minute: Int
    /// 0 to 60.
    public var second: Int

    public init(year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0) {
        self.year = year
        self.month = month
        self.day = day
        self.hour = hour
        self.minute = minute
        self.second = second
    }

    /// The time now, in this machine's time zone.
    public static var now: TemplateClock {
        var seconds = time(nil)
        var parts = tm()
        localtime_r(&seconds, &parts)
        return TemplateClock(
            year: Int(parts.tm_year) + 1900, month: Int(parts.tm_mon) + 1, day: Int(parts.tm_mday),
            hour: Int(parts.tm_hour), minute: Int(parts.tm_min), second: Int(parts.tm_sec))
    }

    /// Bytes of a format; people write up to some twenty.
    private static let formatBytesMax = 1000
    /// Bytes of a printed date. A conversion prints some tens, unless it was given an absurd width.
    private static let textBytesMax = 32_000

    /// The date and time as C's and Python's strftime print it, with English names.
    func format(_ format: String) throws -> String {
        guard format.utf8.count <= Self.formatBytesMax else {
            throw ChatTemplateError(.limit, "strftime_now: a format of more than \(Self.formatBytesMax) bytes")
        }
        guard !format.utf8.contains(0) else {
            throw ChatTemplateError(.evaluation, "strftime_now: the format holds a null character")
        }
        var parts = tm()
        parts.tm_year = CInt(clamping: max(year, 0) - 1900)
        parts.tm_mon = CInt(clamping: max(month, 1) - 1)
        parts.tm_mday = CInt(clamping: day)
        parts.tm_hour = CInt(clamping: hour)
        parts.tm_min = CInt(clamping: minute)
        parts.tm_sec = CInt(clamping: second)
        // Fills in the days of the week and year.
        var normalized = parts
        timegm(&normalized)
        parts.tm_wday = normalized.tm_wday
        parts.tm_yday = normalized.tm_yday

        // An empty result and one that is too long look the same, so something always comes first.
        var buffer = [CChar](repeating: 0, count: Self.textBytesMax)
        let length = strftime(&buffer, buffer.count, "." + Self.withPythonConversions(format), &parts)
        guard length > 0 else {
            throw ChatTemplateError(.limit, "strftime_now: a date of more than \(Self.textBytesMax) bytes")
        }
        return PythonText.string(buffer[1..<length].map { UInt8(bitPattern: $0) })
    }

    /// The conversions Python fills in itself: microseconds, and a time zone, which its `now()` does not know.
    private static func withPythonConversions(_ format: String) -> String {
        var result: [UInt8] = []
        var rest = Array(format.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%"), let conversion = rest.popFirst() else {
                result.append(byte)
                continue
            }
            switch conversion {
            case UInt8(ascii: "f"): result += "000000".utf8
            case UInt8(ascii: "z"), UInt8(ascii: "Z"): break
            default: result += [byte, conversion]
            }
        }
        return PythonText.string(result)
    }
}
