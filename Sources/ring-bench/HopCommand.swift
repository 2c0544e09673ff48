// What a hop costs, for rings of several lengths.

import ArgumentParser

/// Decode steps round rings of several lengths, beside a bare socket in the same run.
struct HopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hop", abstract: "What a decode step costs beyond the layers' own time, for each length of ring.")

    @Option(
        name: [.short, .customLong("model")],
        help: ArgumentHelp("Model directory, or a Hugging Face id.", valueName: "model"))
    var model = "examples/model"

    @Option(help: ArgumentHelp("Lengths of ring to measure.", valueName: "count"))
    var shards: [Int] = [1, 2, 3]

    @Option(help: ArgumentHelp("Decode steps timed for each.", valueName: "count"))
    var steps = 1000

    @Option(help: ArgumentHelp("Threads of each shard.", valueName: "count"))
    var threads = 1

    @Option(help: ArgumentHelp("Also write the figures to this file, as JSON.", valueName: "file"))
    var json: String?

    /// Steps before the clock starts.
    private static let warmUpSteps = 50
    /// What the bare socket's ends read between two frames is larger than any cache, and enough.
    private static let workBytesMax = 64 << 20

    func validate() throws {
        guard shards.allSatisfy({ 1...8 ~= $0 }) else { throw ValidationError("--shards takes 1 to 8") }
        guard 1...1_000_000 ~= steps else { throw ValidationError("--steps takes 1 to 1000000") }
    }

    func run() throws {
        let directory = try BenchModel.directory(of: model)
        let card = try BenchModel.read(directory)
        print("a decode step of \(model), \(card.layerCount) layers, \(steps) steps each; medians in µs")
        print("shards  round trip  in layers  beyond  a hop  bare socket")
        var rows: [HopFigures] = []
        for count in shards where count <= card.layerCount {
            let ring = try BenchRing(model: directory, card: card, shardCount: count, threads: threads)
            defer { ring.stop() }
            try ring.begin()
            let times = try ring.decode(steps: steps, warmUp: Self.warmUpSteps)
            let socket = try BareSocket.oneWayMicroseconds(
                bytes: times.payloadBytes, rounds: steps,
                workBytes: min(try card.weightBytes(of: directory) / count, Self.workBytesMax))
            let row = HopFigures(shards: count, times: times, socketOneWay: socket)
            rows.append(row)
            print(row.line)
        }
        if let json { try HopFigures.write(rows, to: json) }
    }
}
