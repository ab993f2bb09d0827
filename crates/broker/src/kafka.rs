//! Kafka.
//!
//! Each address is a topic, the key of an event that of its record, by which its partition is chosen as Java's client chooses it. What goes to one partition is sent as one
//! batch, which arrives wholly or not at all, in its order. How far a topic was read is not kept by Kafka (there is no group), but by who receives, with what came of
//! it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::{BoxFuture, join_all};
use rskafka::BackoffConfig;
use rskafka::chrono::DateTime;
use rskafka::client::error::{Error, ProtocolError};
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder, Credentials, SaslConfig};
use rskafka::record::{Record, RecordAndOffset};
use tokio::sync::Mutex;

use crate::message::shown;
use crate::{Address, Arrived, Broker, BrokerFault, Envelope, Message, Outcome, Party};

/// How long is waited for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a partition is waited for where there is nothing in it, in milliseconds.
const IDLE: i32 = 100;

/// The most that is sent to one partition at once, in bytes: half of what brokers take unless told otherwise.
const BATCH: usize = 512 * 1024;

/// The most that is read of a partition at once, in bytes.
const READ: i32 = 256 * 1024;

/// How the attributes of an envelope are called among the headers (Kafka binding of CloudEvents).
const PREFIX: &str = "ce_";

const REMARK: &str = "Kafka acknowledges when the replicas in sync have an event in memory (`acks=all`; it syncs when `flush.messages` says, which is never unless \
    it was set): with one replica, or `min.insync.replicas` of 1, a power failure can lose what was acknowledged; `mimar events replay --to broker` sends it again.";

/// A connection.
pub(crate) struct Kafka {
    client: Client,
    party: Party,
    /// The partitions of topics that are sent to.
    topics: Mutex<HashMap<String, Topic>>,
    /// What comes, by the position of its address; made when it is first asked for.
    places: Vec<Mutex<Option<Vec<Place>>>>,
}

/// The partitions of a topic, in their order.
type Topic = Arc<Vec<PartitionClient>>;

/// A partition that is read.
struct Place {
    partition: PartitionClient,
    /// Under which name its position is kept.
    name: Box<str>,
    /// What is read next.
    next: i64,
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kafka").field("party", &self.party).finish_non_exhaustive()
    }
}

impl Kafka {
    pub async fn connect(address: &Address, party: &Party) -> Result<Self, BrokerFault> {
        let hosts = address.hosts().split(',').map(str::to_owned).collect();
        let backoff = BackoffConfig {
            max_backoff: Duration::from_secs(1),
            deadline: Some(PATIENCE / 2),
            ..BackoffConfig::default()
        };
        let mut builder = ClientBuilder::new(hosts)
            .client_id(format!("mimar {}", party.name))
            .backoff_config(backoff);
        if address.is_encrypted() {
            builder = builder.tls_config(tls()?);
        }
        if let Some((user, password)) = address.credentials() {
            let password = password.unwrap_or_default().to_owned();
            let credentials = Credentials::new(user.to_owned(), password);
            builder = builder.sasl_config(match address.parameter("mechanism") {
                None | Some("plain") => SaslConfig::Plain(credentials),
                Some("scram-sha-256") => SaslConfig::ScramSha256(credentials),
                Some("scram-sha-512") => SaslConfig::ScramSha512(credentials),
                Some(_) => {
                    let reason = "`mechanism` is plain, scram-sha-256 or scram-sha-512".to_owned();
                    return Err(BrokerFault::Address { reason });
                }
            });
        }
        let client = in_time(builder.build()).await?;
        let places = party.receives.iter().map(|_| Mutex::new(None)).collect();
        Ok(Self { client, party: party.clone(), topics: Mutex::default(), places })
    }

    async fn send_all(&self, messages: &[Message]) -> Outcome {
        let mut outcome = Outcome { acknowledged: vec![false; messages.len()], fault: None };
        let topics = match self.topics_of(messages).await {
            Ok(topics) => topics,
            Err(fault) => return Outcome { fault: Some(fault), ..outcome },
        };
        let mut batches: HashMap<(&str, usize), Vec<usize>> = HashMap::new();
        for (at, message) in messages.iter().enumerate() {
            let count = topics.get(&*message.address).map_or(0, |topic| topic.len());
            let key = message.key.as_ref().unwrap_or(&message.id);
            batches
                .entry((&*message.address, partition_of(key.as_bytes(), count)))
                .or_default()
                .push(at);
        }
        let sent = batches.into_iter().map(|((address, partition), batch)| {
            let partition = topics.get(address).and_then(|topic| topic.get(partition));
            send_batch(partition, messages, batch)
        });
        for (done, fault) in join_all(sent).await {
            for at in done {
                outcome.acknowledged[at] = true;
            }
            outcome.fault = outcome.fault.or(fault);
        }
        outcome
    }

    /// The topics that messages go to; those that are not there are made, as the broker makes topics by itself.
    async fn topics_of(&self, messages: &[Message]) -> Result<HashMap<String, Topic>, BrokerFault> {
        let mut known = self.topics.lock().await;
        for Message { address, .. } in messages {
            if known.contains_key(address) {
                continue;
            }
            let mut partitions = self.partitions(address).await?;
            if partitions.is_empty() {
                let controller = self.client.controller_client().map_err(unreachable)?;
                // -1: what the broker's settings say.
                let wait = i32::try_from(PATIENCE.as_millis()).unwrap_or(i32::MAX);
                in_time(controller.create_topic(address.as_str(), -1, -1, wait)).await?;
                partitions = self.partitions(address).await?;
            }
            if partitions.is_empty() {
                return Err(BrokerFault::unreachable(format!("the topic {address} is being made")));
            }
            known.insert(address.clone(), Arc::new(partitions));
        }
        Ok(known.clone())
    }

    /// The partitions of a topic; none where there is no such topic.
    async fn partitions(&self, topic: &str) -> Result<Vec<PartitionClient>, BrokerFault> {
        let topics = in_time(self.client.list_topics()).await?;
        let found = topics.into_iter().find(|known| known.name == topic);
        let numbers = found.into_iter().flat_map(|found| found.partitions);
        let mut partitions = Vec::new();
        for number in numbers {
            let unknown = UnknownTopicHandling::Error;
            partitions.push(in_time(self.client.partition_client(topic, number, unknown)).await?);
        }
        Ok(partitions)
    }

    async fn receive_at(
        &self,
        at: usize,
        position: &(dyn Fn(&str) -> Option<i64> + Sync),
    ) -> Result<Vec<Arrived>, BrokerFault> {
        let nothing = || BrokerFault::refused("nothing is received there");
        let address = self.party.receives.get(at).ok_or_else(nothing)?;
        let mut places = self.places.get(at).ok_or_else(nothing)?.lock().await;
        if places.is_none() {
            let partitions = self.partitions(address).await?;
            if partitions.is_empty() {
                let mend = "whoever publishes there has to make the topic";
                return Err(BrokerFault::NoPlace { address: address.clone(), mend });
            }
            let placed = partitions.into_iter().map(|partition| {
                let name = format!("kafka {address}/{}", partition.partition()).into_boxed_str();
                Place { next: position(&name).unwrap_or(0), name, partition }
            });
            *places = Some(placed.collect());
        }
        let places = places.as_mut().ok_or_else(nothing)?;
        let read = join_all(places.iter_mut().map(read)).await;
        let read = read.into_iter().collect::<Result<Vec<_>, _>>()?;
        Ok(read.into_iter().flatten().collect())
    }
}

impl Broker for Kafka {
    fn remarks(&self) -> Vec<String> {
        if self.party.sends.is_empty() { Vec::new() } else { vec![REMARK.to_owned()] }
    }

    fn send<'a>(&'a self, messages: &'a [Message]) -> BoxFuture<'a, Outcome> {
        Box::pin(self.send_all(messages))
    }

    fn receive<'a>(
        &'a self,
        at: usize,
        position: &'a (dyn Fn(&str) -> Option<i64> + Sync),
    ) -> BoxFuture<'a, Result<Vec<Arrived>, BrokerFault>> {
        Box::pin(self.receive_at(at, position))
    }

    /// The position was kept with what came of it.
    fn acknowledge(&self, _: usize, _: Vec<Arrived>) -> BoxFuture<'_, Result<(), BrokerFault>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Sends what goes to one partition, in its order; which of it has arrived, and why the rest has not.
async fn send_batch(
    partition: Option<&PartitionClient>,
    messages: &[Message],
    batch: Vec<usize>,
) -> (Vec<usize>, Option<BrokerFault>) {
    let mut done = Vec::with_capacity(batch.len());
    let Some(partition) = partition else {
        return (done, Some(BrokerFault::refused("the topic has no such partition")));
    };
    let mut rest = batch.as_slice();
    while !rest.is_empty() {
        let mut size = 0;
        let records: Vec<Record> = rest
            .iter()
            .filter_map(|at| messages.get(*at))
            .map(record)
            .take_while(|record| {
                let is_first = size == 0;
                size += record.approximate_size();
                is_first || size <= BATCH
            })
            .collect();
        let (now, later) = rest.split_at(records.len().min(rest.len()));
        match in_time(partition.produce(records, Compression::NoCompression)).await {
            Ok(_) => done.extend(now),
            Err(fault) => return (done, Some(fault)),
        }
        rest = later;
    }
    (done, None)
}

fn record(message: &Message) -> Record {
    let attributes = message.attributes.iter();
    let headers =
        attributes.map(|(name, value)| (format!("{PREFIX}{name}"), value.clone().into_bytes()));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let content = ("content-type".to_owned(), b"application/json".to_vec());
    Record {
        key: message.key.clone().map(String::into_bytes),
        value: Some(message.data.to_vec()),
        headers: headers.chain([content]).collect(),
        timestamp: DateTime::from_timestamp_millis(now).unwrap_or_default(),
    }
}

/// What is next in a partition.
async fn read(place: &mut Place) -> Result<Vec<Arrived>, BrokerFault> {
    let fetching = place.partition.fetch_records(place.next, 1..READ, IDLE);
    let fetched = tokio::time::timeout(PATIENCE, fetching).await;
    match fetched.map_err(|_| BrokerFault::unreachable("not within ten seconds"))? {
        Ok((records, _)) => {
            if let Some(last) = records.last() {
                place.next = last.offset + 1;
            }
            let name = &place.name;
            Ok(records.into_iter().map(|record| arrived(record, name)).collect())
        }
        Err(Error::ServerError { protocol_error: ProtocolError::OffsetOutOfRange, .. }) => {
            // It is another topic of this name by now, or what was to be read is not kept any more.
            place.next = in_time(place.partition.get_offset(OffsetAt::Earliest)).await?;
            Ok(Vec::new())
        }
        Err(error) => Err(unreachable(error)),
    }
}

fn arrived(RecordAndOffset { record, offset }: RecordAndOffset, name: &str) -> Arrived {
    let text = |name: &str| {
        let value = record.headers.get(name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    };
    let body = record.value.as_deref().unwrap_or_default();
    let attribute = |name: &str| text(&format!("{PREFIX}{name}"));
    let envelope = Envelope::read(text("content-type").as_deref(), attribute, body);
    let next = Some((name.into(), offset + 1));
    Arrived { envelope, text: shown(body), next, token: String::new() }
}

/// Which of so many partitions a key belongs to: Murmur2 of it, as Java's client does it, so that records of one key go to one partition whoever sends them.
fn partition_of(key: &[u8], partitions: usize) -> usize {
    let hash = usize::try_from(murmur2(key) & 0x7fff_ffff).unwrap_or(0);
    hash.checked_rem(partitions).unwrap_or(0)
}

/// MurmurHash2 of 32 bits with the seed of Kafka.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let (words, rest) = data.as_chunks::<4>();
    let mut hash = words.iter().fold(0x9747_b28c ^ length, |hash, word| {
        let word = u32::from_le_bytes(*word).wrapping_mul(M);
        hash.wrapping_mul(M) ^ (word ^ (word >> 24)).wrapping_mul(M)
    });
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |tail, byte| (tail << 8) | u32::from(*byte));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ (hash >> 13)).wrapping_mul(M);
    hash ^ (hash >> 15)
}

fn tls() -> Result<Arc<rustls::ClientConfig>, BrokerFault> {
    let mut roots = rustls::RootCertStore::empty();
    // One that cannot be read or understood is one less to believe.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(unreachable)?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

async fn in_time<T, E: std::fmt::Display>(
    asking: impl Future<Output = Result<T, E>>,
) -> Result<T, BrokerFault> {
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(answer) => answer.map_err(unreachable),
        Err(_) => Err(BrokerFault::unreachable("not within ten seconds")),
    }
}

fn unreachable(error: impl std::fmt::Display) -> BrokerFault {
    BrokerFault::unreachable(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of Kafka's own test of its hash (`UtilsTest.testMurmur2`).
    #[test]
    fn keys_are_hashed_as_java_does() {
        for (key, hash) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
        ] {
            assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
        }
        assert_eq!(partition_of(b"a", 0), 0);
        assert!((0..100_u8).all(|key| partition_of(&[key], 7) < 7));
    }
}
