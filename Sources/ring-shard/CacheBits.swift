// How many bits --kv-bits gives to cached keys and values.

import ArgumentParser
import Tensors

enum CacheBits: String, CaseIterable, ExpressibleByArgument {
    case sixteen = "16"
    case eight = "8"

    var type: CacheType { self == .sixteen ? .f16 : .int8 }
}
