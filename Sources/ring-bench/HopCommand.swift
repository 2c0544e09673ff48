// What a hop costs, for rings of several lengths.

import ArgumentParser

/// Decode steps round rings of several lengths, beside a bare socket in the same run.
struct HopCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "hop",
        abstract: "What a hop costs beyond the layers' own time and a bare socket's, for each length of ring.",
        discussion: """
            A step's time in layers is taken from its round trip; what is left is shared by the links it crossed, the \
            API's own included. The bare socket carries as many bytes between two threads that read as much memory.
            """)

    @OptionGroup var options: BenchOptions

    @Option(
        name: [.short, .customLong("model")],
        help: ArgumentHelp("Model directory, or a Hugging Face id.", valueName: "model"))
    var model = "examples/model"

    @Option(help: ArgumentHelp("Lengths of ring to measure.", valueName: "count"))
    var shards: [Int] = [1, 2, 3]

    @Option(help: ArgumentHelp("Decode steps timed in each round.", valueName: "count"))
    var steps = 300

    @Option(help: ArgumentHelp("Threads of each shard.", valueName: "count"))
    var threads = 1

    /// Steps before the clock starts.
    private static let warmUpSteps = 50
    /// What the bare socket's ends read between two frames is larger than any cache, and enough.
    private static let workBytesMax = 64 << 20
    /// Microseconds above the socket's own.
    private static let goal = 15.0

    func validate() throws {
        guard shards.allSatisfy({ 1...8 ~= $0 }) else { throw ValidationError("--shards takes 1 to 8") }
        guard 1...1_000_000 ~= steps else { throw ValidationError("--steps takes 1 to 1000000") }
    }

    func measure(into report: BenchReport) async throws {
        let directory = try BenchModel.directory(of: model)
        let card = try BenchModel.read(directory)
        for count in shards where count <= card.layerCount {
            let ring = try BenchRing(model: directory, card: card, shardCount: count, threads: threads)
            defer { ring.stop() }
            try ring.begin()
            var hops: [Double] = []
            var sockets: [Double] = []
            var trips: [Double] = []
            for _ in 0..<options.rounds {
                let times = try ring.decode(steps: steps, warmUp: Self.warmUpSteps)
                sockets.append(
                    try BareSocket.oneWayMicroseconds(
                        bytes: times.payloadBytes, rounds: steps,
                        workBytes: min(try card.weightBytes(of: directory) / count, Self.workBytesMax)))
                let beyond = zip(times.roundTrips, times.computes).map { $0 - $1 }.median
                // The API's link to the first shard, the links between shards, and the last shard's link back.
                hops.append(beyond / Double(count + 1))
                trips.append(times.roundTrips.median)
            }
            report.add(
                BenchRow(
                    name: "a hop above the socket's, \(count == 1 ? "1 shard" : "\(count) shards")", unit: "µs",
                    better: .lower, ours: Samples(zip(hops, sockets).map { $0 - $1 }),
                    goal: BenchRow.Goal(most: Self.goal),
                    note: """
                        a hop \(BenchTable.figure(hops.median)) µs, a bare socket \(BenchTable.figure(sockets.median)) µs, \
                        a round trip \(BenchTable.figure(trips.median)) µs; \(model), \(threads.threads) a shard
                        """))
        }
    }
}
