// The program ring-bench: measures what a user waits for.

import ArgumentParser
import Observability

@main
struct RingBenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ring-bench", abstract: "Measures the ring on this machine.", version: Software.version,
        subcommands: [HopCommand.self, StepCommand.self, RingCommand.self, TokenizerCommand.self])
}

/// Decode steps round rings of several lengths, beside a bare socket in the same run.
struct HopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hop", abstract: "What a decode step costs beyond the layers' own time, for each length of ring.")

    @Option(name: [.short, .customLong("model")], help: ArgumentHelp("Model directory.", valueName: "dir"))
    var model = "examples/model"

    @Option(help: ArgumentHelp("Lengths of ring to measure.", valueName: "count"))
    var shards: [Int] = [1, 2, 3]

    @Option(help: ArgumentHelp("Decode steps timed for each.", valueName: "count"))
    var steps = 1000

    @Option(help: ArgumentHelp("Threads of each shard.", valueName: "count"))
    var threads = 1

    @Option(help: ArgumentHelp("Also write the figures to this file, as JSON.", valueName: "file"))
    var json: String?

    /// What the bare socket's ends read between two frames is larger than any cache, and enough.
    private static let workBytesMax = 64 << 20

    func validate() throws {
        guard shards.allSatisfy({ 1...8 ~= $0 }) else { throw ValidationError("--shards takes 1 to 8") }
        guard 1...1_000_000 ~= steps else { throw ValidationError("--steps takes 1 to 1000000") }
    }

    func run() throws {
        let card = try BenchModel.read(model)
        print("a decode step of \(model), \(card.layerCount) layers, \(steps) steps each; medians in µs")
        print("shards  round trip  in layers  beyond  a hop  bare socket")
        var rows: [HopFigures] = []
        for count in shards where count <= card.layerCount {
            let ring = try BenchRing(model: model, card: card, shardCount: count, threads: threads)
            defer { ring.stop() }
            let times = try ring.decode(steps: steps)
            let socket = try BareSocket.oneWayMicroseconds(
                bytes: times.payloadBytes, rounds: steps,
                workBytes: min(try card.weightBytes(of: model) / count, Self.workBytesMax))
            let row = HopFigures(shards: count, times: times, socketOneWay: socket)
            rows.append(row)
            print(row.line)
        }
        if let json { try HopFigures.write(rows, to: json) }
    }
}
