// A feed-forward network of many experts, a few of which see each row.

internal import Tensors
internal import Weights

/// Σ weight · expert(x) over the experts a router chooses for a row, and a shared expert's share where there is one.
/// Shazeer et al., 2017.
struct MixtureOfExperts<Expert: GatedNetwork>: FeedForwardNetwork {
    let router: ExpertRouter
    let experts: [Expert]
    /// Sees every row.
    var shared: SharedExpert?

    /// `[row, hidden]` to `[row, hidden]`.
    func callAsFunction(_ x: Tensor) throws -> Tensor {
        let choices = try router(x)
        // One row reads each expert's weights once in any case; its first products then share one meeting of threads.
        let output = x.rows == 1 ? try sum(choices, of: x) : try sumByExpert(choices, of: x)
        guard let shared else { return output }
        return try output + shared(x)
    }

    /// For a row alone.
    ///
    /// Experts are added in the order of their numbers, as they are for many rows: a row's bits are the same.
    private func sum(_ choices: [ExpertRouter.Choice], of x: Tensor) throws -> Tensor {
        let output = try Tensor(rows: 1, columns: x.columns, in: x.compute)
        output.clear()
        let choices = choices.sorted { $0.expert < $1.expert }
        let products = try x.projected(by: choices.flatMap { experts[$0.expert].inner })
        var first = 0
        for choice in choices {
            let expert = experts[choice.expert]
            let own = products[first..<first + expert.inner.count]
            first = own.endIndex
            output.add(choice.weight, times: 0, of: try expert.downProj(expert.gated(own)), to: 0)
        }
        return try output.summedOverRanks()
    }

    /// Rows grouped by expert, so that each expert's weights are read once.
    private func sumByExpert(_ choices: [ExpertRouter.Choice], of x: Tensor) throws -> Tensor {
        let output = try Tensor(rows: x.rows, columns: x.columns, in: x.compute)
        output.clear()
        var members = [[(row: Int, weight: Float)]](repeating: [], count: experts.count)
        for (index, choice) in choices.enumerated() {
            members[choice.expert].append((index / router.chosen, choice.weight))
        }
        for (expert, members) in zip(experts, members) where !members.isEmpty {
            let mark = x.compute.arena.mark()
            defer { x.compute.arena.release(to: mark) }
            let result = try expert.product(x.gathering(rows: members.map(\.row)))
            for (index, member) in members.enumerated() {
                output.add(member.weight, times: index, of: result, to: member.row)
            }
        }
        return try output.summedOverRanks()
    }
}

/// An expert that sees every row, in some families weighed by a gate of its own.
struct SharedExpert: Sendable {
    let expert: SwiGLU
    /// `[hidden]` to one logit.
    var gate: Linear?

    func callAsFunction(_ x: Tensor) throws -> Tensor {
        let result = try expert(x)
        guard let gate else { return result }
        let weights = try gate(x, precision: .exact)
        weights.sigmoid()
        let output = try Tensor(rows: x.rows, columns: x.columns, in: x.compute)
        output.clear()
        for row in 0..<x.rows { output.add(weights[row][0], times: row, of: result, to: row) }
        return output
    }
}

extension MixtureOfExperts<SwiGLU> {
    /// Reads `count` experts of `name`, stacked or apart.
    static func experts(
        _ reader: WeightReader, _ name: String, count: Int, hiddenSize: Int, intermediateSize: Int
    ) throws(CheckpointError) -> [SwiGLU] {
        func linears(_ module: String, inputs: Int, outputs: Int) throws(CheckpointError) -> [Linear] {
            try reader.linears(
                stack: "\(name).switch_mlp", stem: "\(name).experts", module, count: count, inputs: inputs,
                outputs: outputs)
        }
        let gates = try linears("gate_proj", inputs: hiddenSize, outputs: intermediateSize)
        let ups = try linears("up_proj", inputs: hiddenSize, outputs: intermediateSize)
        let downs = try linears("down_proj", inputs: intermediateSize, outputs: hiddenSize)
        return (0..<count).map { SwiGLU(gateProj: gates[$0], upProj: ups[$0], downProj: downs[$0]) }
    }
}
