// What a step takes by its rows: the curve that chunks of prompts and numbers of streams are chosen by.

import ArgumentParser

struct StepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "step", abstract: "What a step takes on one shard, for each number of rows.")

    @Option(
        name: [.short, .customLong("model")],
        help: ArgumentHelp("Model directory, or a Hugging Face id.", valueName: "model"))
    var model = "examples/model"

    @Option(help: ArgumentHelp("Numbers of rows.", valueName: "count"))
    var rows: [Int] = [1, 2, 4, 8, 16, 32, 64]

    @Option(help: ArgumentHelp("Steps of each size; the fastest counts.", valueName: "count"))
    var steps = 5

    @Option(help: ArgumentHelp("Threads of the shard.", valueName: "count"))
    var threads = 1

    func validate() throws {
        guard rows.allSatisfy({ 1...512 ~= $0 }) else { throw ValidationError("--rows takes 1 to 512") }
        guard 1...10_000 ~= steps else { throw ValidationError("--steps takes 1 to 10000") }
    }

    func run() throws {
        let directory = try BenchModel.directory(of: model)
        let card = try BenchModel.read(directory)
        let ring = try BenchRing(model: directory, card: card, shardCount: 1, threads: threads)
        defer { ring.stop() }
        try ring.begin()
        print("\(model), \(threads) threads; least of \(steps) steps, in ms")
        print("  rows  of a prompt     a row  of streams     a row")
        for count in rows {
            let chunk = try ring.chunkMilliseconds(rows: count, steps: steps)
            var line =
                Double(count).column(6, decimals: 0) + chunk.column(13, decimals: 2)
                + (chunk / Double(count)).column(10, decimals: 2)
            if count <= 64 {
                let decode = try ring.decodeMilliseconds(streams: count, steps: steps)
                line += decode.column(12, decimals: 2) + (decode / Double(count)).column(10, decimals: 2)
            }
            print(line)
        }
    }
}
