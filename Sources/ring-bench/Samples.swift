// Repeated measurements of one thing.

struct Samples: Encodable, Equatable {
    let values: [Double]

    var median: Double { values.median }
    var low: Double { values.min() ?? 0 }
    var high: Double { values.max() ?? 0 }

    init(_ values: [Double]) {
        self.values = values
    }

    /// Units a second, from the seconds that `units` of them took each time.
    init(_ units: Int, inSeconds seconds: [Double]) {
        self.init(seconds.map { Double(units) / $0 })
    }

    private enum CodingKeys: CodingKey {
        case values, median, low, high
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(values, forKey: .values)
        try container.encode(median, forKey: .median)
        try container.encode(low, forKey: .low)
        try container.encode(high, forKey: .high)
    }
}

extension [Double] {
    /// The middle value, or the mean of the two in the middle; 0 when there is none.
    var median: Double {
        guard !isEmpty else { return 0 }
        let sorted = sorted()
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }
}
