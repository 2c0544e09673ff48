// What a pass takes when only some layers are in memory, beside what the disk and computing take alone.

import ArgumentParser
import RingAPI
import Weights
import Wire

struct WindowCommand: BenchJob {
    static let configuration = CommandConfiguration(
        commandName: "window",
        abstract: "What a pass takes with a window of layers, beside the longer of computing and reading alone.")

    @OptionGroup var options: BenchOptions

    @Option(help: ArgumentHelp("4, 8 or bf16.", valueName: "format"))
    var bits = BenchFormat.bfloat16

    @Option(help: ArgumentHelp("Layers in memory; half of them, two and one when left out.", valueName: "count"))
    var windows: [Int] = []

    @Option(help: ArgumentHelp("Decode steps timed between two measurements of the disk.", valueName: "count"))
    var steps = 6

    @Option(help: ArgumentHelp("Streams that wait at the same time.", valueName: "count"))
    var streams = 4

    @Option(help: ArgumentHelp("Threads of the shard.", valueName: "count"))
    var threads = 2

    /// Of the longer of the two: at most 1.1 times as much.
    private static let fractionGoal = 1 / 1.1
    private static let readsAtATime = 4
    private static let streamTokens = 12

    func validate() throws {
        guard windows.allSatisfy({ $0 >= 1 }) else { throw ValidationError("--windows takes 1 or more") }
        guard 1...1000 ~= steps else { throw ValidationError("--steps takes 1 to 1000") }
        guard 2...64 ~= streams else { throw ValidationError("--streams takes 2 to 64") }
    }

    func measure(into report: BenchReport) async throws {
        let model = options.models + "/" + bits.directory
        let card = try BenchModel.read(model)
        let checkpoint = try Checkpoint(directory: model)
        let layerBytes = (0..<card.layerCount).map {
            LayerPlan(checkpoint, prefix: "model.layers.\($0).").storedByteCount
        }
        let all = try BenchRing(model: model, card: card, shardCount: 1, threads: threads)
        defer { all.stop() }
        try all.begin()
        for window in windows.isEmpty ? [card.layerCount / 2, 2, 1] : windows where window < card.layerCount {
            // What a whole model's file leaves in the page cache would be taken from there.
            for file in checkpoint.files { DiskRate.forget(file.path) }
            let windowed = try BenchRing(
                model: model, card: card, shardCount: 1, threads: threads, flags: ["--prefetch-window", "\(window)"])
            defer { windowed.stop() }
            try windowed.begin()
            try measure(windowed, all, window: window, layerBytes: layerBytes, file: model, into: report)
        }
        try await measureStreams(model, card, into: report)
    }

    private func measure(
        _ windowed: BenchRing, _ all: BenchRing, window: Int, layerBytes: [Int], file: String, into report: BenchReport
    ) throws {
        let streamed = LayerWindow(layers: layerBytes.indices, windowLayers: window).streamedLayers
        let bytes = streamed.reduce(0) { $0 + layerBytes[$1] }
        var passes: [Double] = []
        var computing: [Double] = []
        var fractions: [Double] = []
        var rates: [Double] = []
        for _ in 0..<options.rounds {
            let rate = try DiskRate.bytesPerSecond(of: file + "/model.safetensors", depth: Self.readsAtATime)
            let alone = try all.decode(steps: steps, warmUp: 2).roundTrips.median / 1000
            let pass = try windowed.decode(steps: steps, warmUp: 2).roundTrips.median / 1000
            let reading = Double(bytes) / rate * 1000
            // Nothing can be read into the only slab while it is computed with.
            let limit = window == 1 ? alone + reading : max(alone, reading)
            (passes, computing) = (passes + [pass], computing + [alone])
            (fractions, rates) = (fractions + [limit / pass], rates + [rate])
        }
        let read = try windowed.shards().reduce(0) { $0 + Int($1.pass.bytesRead) }
        let name = "window of \(window) of \(layerBytes.count), \(bits.name)"
        var row = BenchRow(name: "\(name): a pass", unit: "ms", better: .lower, ours: Samples(passes))
        // As with ratios, each round's own: the disk is not the same from one to the next.
        row.limit = passes.median * fractions.median
        row.limitName = window == 1 ? "computing and reading" : "the longer of computing and reading"
        row.goal = BenchRow.Goal(fraction: Self.fractionGoal)
        row.note = """
            computing alone \(BenchTable.figure(computing.median)) ms, \(bytes / 1_000_000) MB at \
            \(BenchTable.figure(rates.median / 1e9)) GB/s; \(threads.threads)
            """
        report.add(row)
        var bytesRow = BenchRow(
            name: "\(name): read in a pass", unit: "MB", better: .lower, ours: Samples([Double(read) / 1e6]))
        let layersMax = min(layerBytes.count, layerBytes.count - window + 2)
        bytesRow.limit = Double(layersMax * (layerBytes.max() ?? 0)) / 1e6
        bytesRow.limitName = "\(layersMax) layers"
        bytesRow.goal = BenchRow.Goal(fraction: 1)
        report.add(bytesRow)
    }

    /// Streams that wait for the same layers get them in the same pass.
    private func measureStreams(_ model: String, _ card: BenchModel, into report: BenchReport) async throws {
        let window = card.layerCount / 2
        var limits = SchedulerLimits()
        // Streams are compared: no passes are saved by other means.
        limits.speculation = .off
        let ring = try ServedRing(
            model: model, cut: card.cut(into: 1), threads: threads, flags: ["--prefetch-window", "\(window)"],
            limits: limits)
        defer { ring.stop() }
        try await ring.whenReady()
        _ = try await ring.generate(promptTokens: 16, tokens: 2, salt: 0)
        var many: [Double] = []
        var one: [Double] = []
        for round in 1...options.rounds {
            let salt = 1000 * round
            many.append(
                try await ring.generate(streams: streams, promptTokens: 16, tokens: Self.streamTokens, salt: salt)
                    .tokensPerSecond)
            one.append(
                [try await ring.generate(promptTokens: 16, tokens: Self.streamTokens, salt: salt + 100)]
                    .tokensPerSecond)
        }
        report.add(
            BenchRow(
                name: "window of \(window): \(streams) streams, \(bits.name)", unit: "tok/s", ours: Samples(many),
                peer: Samples(one), peerName: "one stream", goal: BenchRow.Goal(ratio: 0.9 * Double(streams)),
                note: "one pass over the disk serves all that wait"))
    }
}
