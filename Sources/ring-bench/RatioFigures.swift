// A figure beside the one it is measured against, as a line and as JSON.

import FoundationEssentials

struct RatioFigures: Encodable {
    let name: String
    let unit: String
    /// What the ratio is taken against.
    let base: Double
    let value: Double
    /// `value / base`.
    let ratio: Double
    /// What the ratio should reach.
    let goal: Double?

    init(_ name: String, unit: String, base: Double, value: Double, goal: Double?) {
        self.name = name
        self.unit = unit
        self.base = base
        self.value = value
        self.goal = goal
        ratio = value / base
    }

    static let heading = "measure".leftAligned(44) + "     base     value   ratio    goal"

    var line: String {
        name.leftAligned(44) + base.column(9, decimals: 2) + value.column(10, decimals: 2)
            + ratio.column(8, decimals: 3) + (goal?.column(8, decimals: 2) ?? "") + "  \(unit)"
    }

    static func write(_ rows: [RatioFigures], to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(rows).write(to: URL(filePath: path))
    }
}

extension Double {
    /// Right-aligned in `width` columns.
    func column(_ width: Int, decimals: Int) -> String {
        var scale = 1
        for _ in 0..<decimals { scale *= 10 }
        guard abs(self) < 1e12 else { return String(repeating: " ", count: max(0, width - 1)) + "-" }
        let units = Int((self * Double(scale)).rounded())
        let fraction = String(abs(units) % scale)
        let whole = (units < 0 ? "-" : "") + "\(abs(units) / scale)"
        let text =
            decimals == 0 ? whole : whole + "." + String(repeating: "0", count: decimals - fraction.count) + fraction
        return String(repeating: " ", count: max(0, width - text.count)) + text
    }
}

extension String {
    func leftAligned(_ width: Int) -> String {
        self + String(repeating: " ", count: max(0, width - count))
    }
}
