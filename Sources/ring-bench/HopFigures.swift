// The figures of one length of ring, as a line and as JSON.

import FoundationEssentials

struct HopFigures: Encodable {
    let shards: Int
    /// Median microseconds from sending a step to receiving its result.
    let roundTrip: Double
    /// Of these, in embedding, layers, head and sampling, over all shards.
    let compute: Double
    /// Median microseconds of the rest.
    let beyond: Double
    /// `beyond` for each link that the step crossed.
    let hop: Double
    /// Median microseconds one way for a step's activations over a bare loopback socket.
    let socketOneWay: Double

    init(shards: Int, times: BenchRing.Times, socketOneWay: Double) {
        self.shards = shards
        roundTrip = times.roundTrips.median
        compute = times.computes.median
        beyond = zip(times.roundTrips, times.computes).map { $0 - $1 }.median
        // The API's link to the first shard, the links between shards, and the last shard's link back.
        hop = beyond / Double(shards + 1)
        self.socketOneWay = socketOneWay
    }

    var line: String {
        func column(_ value: Double, _ width: Int) -> String {
            let tenths = Int((value * 10).rounded())
            let text = "\(tenths / 10).\(tenths % 10)"
            return String(repeating: " ", count: max(0, width - text.count)) + text
        }
        return "\(shards)".padded(6) + column(roundTrip, 12) + column(compute, 11) + column(beyond, 8) + column(hop, 7)
            + column(socketOneWay, 13)
    }

    static func write(_ rows: [HopFigures], to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(rows).write(to: URL(filePath: path))
    }
}

extension String {
    fileprivate func padded(_ width: Int) -> String {
        String(repeating: " ", count: max(0, width - count)) + self
    }
}
