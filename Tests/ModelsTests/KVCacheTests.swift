// Caches that grow, shrink, fill up and are used again.

import Tensors
import Testing

@testable import Models

@Suite struct KVCacheTests {
    static let tokens = (0..<150).map { UInt32($0 * 29 % 96) }

    private func bench(_ precision: Precision, cacheBytesMax: Int = 64 << 20) throws -> Bench {
        try Bench(LoadedModel(directory: TestCheckpoint.own[1].directory), precision, cacheBytesMax: cacheBytesMax)
    }

    @Test(arguments: [Precision.exact, .standard], [0, 1, 63, 64, 65, 100, 149])
    func tokensCanBeTakenBackAndGivenAgain(_ precision: Precision, _ kept: Int) throws {
        let bench = try bench(precision)
        let whole = try bench.logits(Self.tokens, chunk: 150)
        let cache = bench.makeCache()
        // Other tokens after the ones kept, so that what is taken back differs from what comes again.
        _ = try bench.logits(Self.tokens[..<kept] + Self.tokens[..<(150 - kept)].reversed(), chunk: 50, cache: cache)

        cache.truncate(to: kept)
        let again = try bench.logits(Array(Self.tokens[kept...]), chunk: 20, cache: cache)

        #expect(again == Array(whole[kept...]))
    }

    @Test func truncatingGivesBackTheBlocksOfTokensForgotten() throws {
        let bench = try bench(.standard)
        let cache = bench.makeCache()
        _ = try bench.logits(Self.tokens, chunk: 150, cache: cache)
        let shape = bench.loaded.model.shape
        let tokenBytes = shape.cacheBytesPerToken(as: .f16)
        // 2 layers · (keys + values) · 2 heads · 32 columns · 2 bytes
        #expect(tokenBytes == 2 * 2 * 2 * 32 * 2)
        #expect(cache.byteCount == 3 * CacheBlock.tokens * tokenBytes)

        cache.truncate(to: 65)
        #expect(cache.byteCount == 2 * CacheBlock.tokens * tokenBytes)
        cache.truncate(to: 64)
        #expect(cache.byteCount == CacheBlock.tokens * tokenBytes)
        #expect(bench.pool.usedBytes == cache.byteCount)
        cache.truncate(to: 0)
        #expect(bench.pool.usedBytes == 0)
        #expect(bench.pool.spareBytes == 3 * CacheBlock.tokens * tokenBytes)
    }

    @Test func eightBitsTakeAByteAColumnAndAScaleAHead() throws {
        let loaded = try LoadedModel(directory: TestCheckpoint.own[1].directory)
        let bench = try Bench(loaded, .standard, cacheType: .int8)
        let cache = bench.makeCache()
        #expect(cache.byteCount == 0)
        _ = try bench.logits(Self.tokens, chunk: 150, cache: cache)
        // 2 layers · (keys + values) · 2 heads · (32 columns + a float32)
        #expect(loaded.model.shape.cacheBytesPerToken(as: .int8) == 2 * 2 * 2 * (32 + 4))
        #expect(cache.byteCount == 3 * CacheBlock.tokens * 2 * 2 * 2 * (32 + 4))
    }

    /// The paper's (d_c + d_h^R) · 2 bytes a layer, d_c the latent and d_h^R the rotated columns: DeepSeek-V3's 512 and
    /// 64, where keys and values of its 128 heads would take 81,920 bytes.
    @Test func latentAttentionKeepsWhatThePaperSays() throws {
        let config = try ModelConfig(json: Array(Self.deepSeekV3.utf8))
        let model = try ModelRegistry.model(for: config)
        #expect(model.shape.layerCount == 61)
        #expect(model.shape.cacheBytesPerToken(as: .f16) == 61 * (512 + 64) * 2)
        #expect(model.shape.cacheBytesPerToken(as: .int8) == 61 * (512 + 64 + 4))
        #expect(model.shape.caches[0].bytesPerToken(as: .f16) == 1152)
    }

    /// And what is lent is what is said.
    @Test func blocksOfLatentsHoldNothingElse() throws {
        let checkpoint = try #require(TestCheckpoint.own.first { $0.name == "tiny-deepseek-v3" })
        let bench = try Bench(LoadedModel(directory: checkpoint.directory), .standard)
        let cache = bench.makeCache()
        _ = try bench.logits([1, 2, 3], chunk: 3, cache: cache)
        // 2 layers · (32 + 8) columns · 2 bytes
        #expect(bench.loaded.model.shape.cacheBytesPerToken(as: .f16) == 2 * (32 + 8) * 2)
        #expect(cache.byteCount == CacheBlock.tokens * 2 * (32 + 8) * 2)
    }

    private static let deepSeekV3 = """
        {"model_type": "deepseek_v3", "hidden_size": 7168, "intermediate_size": 18432, "moe_intermediate_size": 2048,
         "num_hidden_layers": 61, "num_attention_heads": 128, "num_key_value_heads": 128, "n_shared_experts": 1,
         "n_routed_experts": 256, "routed_scaling_factor": 2.5, "kv_lora_rank": 512, "q_lora_rank": 1536,
         "qk_rope_head_dim": 64, "v_head_dim": 128, "qk_nope_head_dim": 128, "n_group": 8, "topk_group": 4,
         "num_experts_per_tok": 8, "first_k_dense_replace": 3, "norm_topk_prob": true, "hidden_act": "silu",
         "max_position_embeddings": 163840, "rms_norm_eps": 1e-06, "tie_word_embeddings": false, "rope_theta": 10000,
         "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
                          "original_max_position_embeddings": 4096, "type": "yarn"},
         "scoring_func": "sigmoid", "topk_method": "noaux_tc", "vocab_size": 129280, "moe_layer_freq": 1,
         "num_nextn_predict_layers": 1, "attention_bias": false,
         "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                                 "weight_block_size": [128, 128]}}
        """

    @Test func aCacheThatGoesGivesItsBlocksBack() throws {
        let bench = try bench(.exact)
        _ = try bench.logits(Self.tokens, chunk: 150)
        #expect(bench.pool.usedBytes == 0)
        #expect(bench.pool.spareBytes > 0)
        bench.pool.freeSpare()
        #expect(bench.pool.spareBytes == 0)
    }

    /// A block is lent again as it came back; what an earlier sequence left in it must not be seen.
    @Test(arguments: [Precision.exact, .standard])
    func whatIsLeftInBlocksIsNotSeen(_ precision: Precision) throws {
        let clean = try bench(precision).logits(Self.tokens, chunk: 150)
        let bench = try bench(precision)
        do {
            let shape = bench.loaded.model.shape.caches[0]
            let caches = (0..<6).map { _ in KVCache(shape: shape, pool: bench.pool) }
            let poison = try Tensor(
                rows: CacheBlock.tokens, columns: shape.heads * shape.keyDimension, in: bench.compute)
            poison.values.update(repeating: .nan)
            for cache in caches {
                try cache.reserve(CacheBlock.tokens)
                cache.append(keys: poison, values: poison)
            }
        }
        let spare = bench.pool.spareBytes

        #expect(try bench.logits(Self.tokens, chunk: 31) == clean)
        #expect(bench.pool.spareBytes == spare, "the poisoned blocks were not those used")
    }

    @Test func aFullPoolIsAnErrorThatNamesTheNumbersAndChangesNothing() throws {
        // Room for two blocks of each of the two layers, at 16 KiB a block.
        let bench = try bench(.standard, cacheBytesMax: 4 * 16_384)
        let cache = bench.makeCache()
        _ = try bench.logits(Array(Self.tokens[..<60]), chunk: 60, cache: cache)

        #expect(throws: CacheError.full(requestedBytes: 16_384, usedBytes: 65_536, bytesMax: 65_536)) {
            try bench.logits(Array(Self.tokens[60...]), chunk: 90, cache: cache)
        }
        #expect(cache[0].length == 60 && cache[1].length == 60)
        #expect(bench.pool.usedBytes == 2 * 16_384)
        let expected = try self.bench(.standard).logits(Array(Self.tokens[..<128]), chunk: 128)
        #expect(try bench.logits(Array(Self.tokens[60..<128]), chunk: 68, cache: cache) == Array(expected[60...]))
    }

    @Test func aStepThatDoesNotFitReservesForNoneOfItsSequences() throws {
        let bench = try bench(.standard, cacheBytesMax: 4 * 16_384)
        let runs = (0..<2).map { _ in StepRun(cache: bench.makeCache(), position: 0, count: 65) }
        #expect(throws: CacheError.full(requestedBytes: 16_384, usedBytes: 65_536, bytesMax: 65_536)) {
            try ForwardPass(bench.loaded.model, layers: 0..<2, runs: runs, on: bench.compute)
        }
        #expect(bench.pool.usedBytes == 0)
    }

    @Test func sparesOfAnotherSizeMakeRoom() throws {
        let pool = CacheBlockPool(bytesMax: 40_000, type: .f16)
        func cache(heads: Int) -> KVCache {
            KVCache(shape: CacheShape(heads: heads, keyDimension: 32, valueDimension: 32), pool: pool)
        }
        try cache(heads: 4).reserve(1)  // 32 KiB, given back at once
        let small = cache(heads: 2)
        try small.reserve(1)
        #expect(pool.usedBytes == 16_384)
        #expect(pool.usedBytes + pool.spareBytes <= pool.bytesMax)
        #expect(throws: CacheError.full(requestedBytes: 32_768, usedBytes: 16_384, bytesMax: 40_000)) {
            try cache(heads: 4).reserve(1)
        }
    }

    // MARK: Sharing

    /// Parent and child go on by turns, and in one step, from tokens inside a block and at its edges.
    @Test(arguments: [Precision.exact, .standard], [1, 63, 64, 65, 100, 128])
    func sequencesThatShareTokensGoOnApart(_ precision: Precision, _ shared: Int) throws {
        let bench = try bench(precision)
        let branch = Array(Self.tokens[..<shared] + Self.tokens[..<(150 - shared)].reversed())
        let wholes = [try bench.logits(Self.tokens, chunk: 150), try bench.logits(branch, chunk: 150)]

        let parent = bench.makeCache()
        let begun = max(shared, 80)
        _ = try bench.logits(Array(Self.tokens[..<begun]), chunk: 150, cache: parent)
        let child = bench.makeCache()
        child.inherit(shared, from: parent, layers: 0..<2)
        let parentNext = try bench.logits([Self.tokens[begun]], chunk: 1, cache: parent)
        var childNext = try bench.logits([branch[shared]], chunk: 1, cache: child)
        let both = try bench.step([
            (parent, Array(Self.tokens[(begun + 1)...])), (child, Array(branch[(shared + 1)...])),
        ])
        childNext += both[1]

        #expect(parentNext + both[0] == Array(wholes[0][begun...]))
        #expect(childNext == Array(wholes[1][shared...]))
        // Taken back into what is shared, and other tokens again.
        parent.truncate(to: shared - 1)
        _ = try bench.logits([0, 1, 2], chunk: 3, cache: parent)
        child.truncate(to: shared)
        #expect(try bench.logits(Array(branch[shared...]), chunk: 50, cache: child) == childNext)
    }

    @Test func sharedBlocksAreCountedOnceAndComeBackWithTheLastHolder() throws {
        let bench = try bench(.standard)
        let blockBytes = CacheBlock.tokens * bench.loaded.model.shape.cacheBytesPerToken(as: .f16)
        var parent: SequenceCache? = bench.makeCache()
        _ = try bench.logits(Array(Self.tokens[..<100]), chunk: 100, cache: parent)
        let children = (0..<3).map { _ in bench.makeCache() }
        for child in children { child.inherit(100, from: try #require(parent), layers: 0..<2) }
        #expect(bench.pool.usedBytes == 2 * blockBytes)

        // The first to write copies the block that is not full, and only that.
        _ = try bench.logits([1], chunk: 1, cache: children[0])
        #expect(bench.pool.usedBytes == 3 * blockBytes)
        parent = nil
        #expect(bench.pool.usedBytes == 3 * blockBytes)
        _ = try bench.logits([1], chunk: 1, cache: children[1])
        #expect(bench.pool.usedBytes == 4 * blockBytes)
        // Nobody else holds the block any more.
        _ = try bench.logits([1], chunk: 1, cache: children[2])
        #expect(bench.pool.usedBytes == 4 * blockBytes)
        for child in children { child.truncate(to: 0) }
        #expect(bench.pool.usedBytes == 0)
        #expect(bench.pool.spareBytes == 4 * blockBytes)
    }

    @Test func aCopyThatDoesNotFitChangesNothing() throws {
        // Room for two blocks of each of the two layers, at 16 KiB a block.
        let bench = try bench(.standard, cacheBytesMax: 4 * 16_384)
        let parent = bench.makeCache()
        _ = try bench.logits(Array(Self.tokens[..<100]), chunk: 100, cache: parent)
        let child = bench.makeCache()
        child.inherit(100, from: parent, layers: 0..<2)
        #expect(throws: CacheError.self) { try bench.logits([7], chunk: 1, cache: child) }
        #expect(child[0].length == 100 && child[1].length == 100)
        #expect(bench.pool.usedBytes == 4 * 16_384)
        parent.truncate(to: 0)
        let alone = try self.bench(.standard).logits(Self.tokens[..<100] + [7], chunk: 101)
        #expect(try bench.logits([7], chunk: 1, cache: child) == Array(alone[100...]))
    }
}
