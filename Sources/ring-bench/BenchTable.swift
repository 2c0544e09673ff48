// Rows as a table of text that Markdown reads too.

struct BenchTable {
    static let headings = ["", "ours", "peer or base", "ratio", "limit", "of limit", "goal", "met"]
    private static let widths = [48, 24, 24, 18, 7, 8, 16, 3]

    static var heading: String {
        line(headings) + "\n|" + widths.map { String(repeating: "-", count: max(3, $0) + 2) }.joined(separator: "|")
            + "|"
    }

    static func line(_ row: BenchRow) -> String {
        line([
            row.name, "\(figure(row.ours.median)) \(row.unit)" + spread(row.ours),
            row.peer.map { "\(figure($0.median)) \(row.peerName ?? "")" } ?? "",
            row.ratio.map { figure($0) + "×" + (row.ratioSpread.map(spread) ?? "") } ?? "",
            row.limit.map(figure) ?? "", row.fraction.map(percent) ?? "", goal(row),
            row.reachesGoal.map { $0 ? "yes" : "no" } ?? "",
        ])
    }

    private static func line(_ cells: [String]) -> String {
        "| "
            + zip(cells, widths).map { $0 + String(repeating: " ", count: max(0, $1 - $0.count)) }
            .joined(separator: " | ") + " |"
    }

    private static func goal(_ row: BenchRow) -> String {
        guard let goal = row.goal else { return "" }
        let parts = [
            goal.ratio.map { "≥ \(figure($0))×" }, goal.fraction.map { "≥ \(percent($0))" },
            goal.most.map { "≤ \(figure($0))" },
        ]
        return parts.compactMap(\.self).joined(separator: ", ")
    }

    private static func percent(_ fraction: Double) -> String { "\(Int((fraction * 100).rounded())) %" }

    private static func spread(_ samples: Samples) -> String {
        samples.values.count > 1 ? " (\(figure(samples.low))–\(figure(samples.high)))" : ""
    }

    private static func spread(_ range: ClosedRange<Double>) -> String {
        range.lowerBound < range.upperBound ? " (\(figure(range.lowerBound))–\(figure(range.upperBound)))" : ""
    }

    /// Three digits that matter.
    static func figure(_ value: Double) -> String {
        let digits = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2
        let scale = [1.0, 10, 100][digits]
        let scaled = Int((abs(value) * scale).rounded())
        let whole = (value < 0 ? "-" : "") + "\(scaled / Int(scale))"
        guard digits > 0 else { return whole }
        let rest = "\(scaled % Int(scale))"
        return whole + "." + String(repeating: "0", count: digits - rest.count) + rest
    }
}
