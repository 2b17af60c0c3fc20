import java.io.FileInputStream;
import java.net.InetAddress;
import java.security.KeyStore;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLServerSocket;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManagerFactory;

/**
 * Java's own TLS as a server that wants a client certificate. Arguments: port, keystore, truststore (both PKCS#12; the
 * password is in STORE_PASSWORD), versions of TLS with a comma between.
 */
public final class TlsServer {
    public static void main(String[] args) throws Exception {
        char[] password = System.getenv("STORE_PASSWORD").toCharArray();
        KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
        keys.init(store(args[1], password), password);
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(store(args[2], password));
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        InetAddress here = InetAddress.getLoopbackAddress();
        int port = Integer.parseInt(args[0]);
        SSLServerSocket server =
            (SSLServerSocket) context.getServerSocketFactory().createServerSocket(port, 10, here);
        server.setNeedClientAuth(true);
        server.setEnabledProtocols(args[3].split(","));
        while (true) {
            try (SSLSocket socket = (SSLSocket) server.accept()) {
                socket.startHandshake();
                socket.getInputStream().read();
            } catch (java.io.IOException e) {
                System.err.println(e.getMessage());
            }
        }
    }

    private static KeyStore store(String path, char[] password) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        try (FileInputStream in = new FileInputStream(path)) {
            store.load(in, password);
        }
        return store;
    }
}
